#pragma once

#include "sim/base/units.hpp"
#include "sim/cost/named_row.hpp"
#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The datasheet rates of a GPU: dense peaks of GEMMs, and memory bandwidth.
struct PeakRates {
  FlopsPerSecond bf16;
  FlopsPerSecond fp8; ///< equals `bf16` without fp8 arithmetic
  BytesPerSecond memory;
};

/// Whether two datasheets state the same rates, within 1 %.
bool same_rates(const PeakRates& a, const PeakRates& b);

/// Time of a kernel on a GPU with the rates `here` over its time on one with the rates `there`. On
/// each GPU the kernel takes the longer of its FLOPs at the peak and its bytes at the memory
/// bandwidth.
double rate_ratio(const Kernel& kernel, const PeakRates& there, const PeakRates& here);

/// A folder of tables that may serve a GPU kind.
struct TableFolder {
  std::filesystem::path path;
  /// Rates of the measured GPU; times are scaled from them to the topology file's. Nothing: times
  /// are not scaled.
  std::optional<PeakRates> measured_on;
  bool borrowed = false; ///< measured on another GPU kind
};

/// One row of `devices.csv`.
struct DeviceRow {
  std::vector<std::string> borrows; ///< kinds whose tables are borrowed, the nearest first
  PeakRates peaks;
  double board_power_w = 0.0; ///< the most that the datasheet lets one GPU draw
  std::int64_t sms = 0;       ///< streaming multiprocessors; 0 if the table does not say
  std::string scale_up;       ///< interconnect between the GPUs of its usual node; may be empty
  BytesPerSecond scale_up_capacity; ///< of one GPU, one direction
};

/// The rows of `calibration/devices.csv` by kind; none if there is no such file. Throws InputError
/// if it is malformed, repeats a kind, or names tables that are not there.
std::map<std::string, DeviceRow> read_devices(const std::filesystem::path& calibration);

/// The kinds that have a folder with tables below `calibration`, by name.
std::vector<std::string> measured_kinds(const std::filesystem::path& calibration);

/// Folders to search for a table of `kind`, in order: its own below `calibration`, then those that
/// its row of `devices.csv` names. Without folders a roofline times the kernels. Throws InputError,
/// with the known kinds, for a kind that has neither folder nor row, and for the errors of
/// read_devices.
std::vector<TableFolder> find_table_folders(const std::filesystem::path& calibration,
                                            const NamedRow& kind);

} // namespace moesim
