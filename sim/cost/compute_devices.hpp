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

/// One row of `gpus.csv`.
struct DeviceRow {
  std::vector<std::string> borrows; ///< kinds whose tables are borrowed, the nearest first
  PeakRates peaks;
  double board_power_w = 0.0; ///< the most that the datasheet lets one GPU draw
  std::int64_t sms = 0;       ///< streaming multiprocessors; 0 if the table does not say
  std::string scale_up;       ///< interconnect between the GPUs of its usual node; may be empty
  BytesPerSecond scale_up_capacity; ///< of one GPU, one direction
};

/// The rows of `calibration/gpus.csv` by kind; none if there is no such file. Throws InputError
/// if it is malformed, repeats a kind, or names tables that are not there.
std::map<std::string, DeviceRow> read_devices(const std::filesystem::path& calibration);

/// The kinds that have a folder with tables below `calibration`, by name.
std::vector<std::string> measured_kinds(const std::filesystem::path& calibration);

/// The GPU kinds of a calibration folder, read once.
struct GpuKinds {
  std::filesystem::path calibration;
  std::map<std::string, DeviceRow> rows; ///< of gpus.csv
  std::vector<std::string> measured;     ///< kinds with a folder of tables

  /// Throws the errors of read_devices.
  static GpuKinds read(const std::filesystem::path& calibration);

  /// Whether a kind has a row or a folder of its own.
  bool know(const std::string& kind) const;

  /// Throws InputError, where it is named, for a kind that is not known and whose name and rates
  /// are both those of a row, but for a few letters: a copy of a topology file, misspelt.
  void check_spelling(const NamedRow& kind, const PeakRates& rates) const;

  /// The kind with tables of its own whose datasheet rates are nearest to `rates`, by the distance
  /// of their logarithms: of those with fp8 arithmetic if the rates have it, else of those without.
  /// Empty if there is none.
  std::string nearest(const PeakRates& rates) const;

  /// Folders to search for a table of `kind`, whose rates are `rates`, in order: its own, then
  /// those that its row names. A kind that is not known takes those of the nearest kind. Without
  /// folders a roofline times the kernels.
  std::vector<TableFolder> folders_of(const std::string& kind, const PeakRates& rates) const;
};

} // namespace moesim
