#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The datasheet rates of a GPU: dense peaks of matrix products, and of its memory.
struct PeakRates {
  FlopsPerSecond bf16;
  FlopsPerSecond fp8; ///< equals `bf16` where there is no fp8
  BytesPerSecond memory;
};

/// How much longer a kernel takes on a GPU of the rates `here` than on one of `there`, if each is
/// bound by its products or its memory, whichever takes longer.
double rate_ratio(const Kernel& kernel, const PeakRates& there, const PeakRates& here);

/// A folder of tables that may serve a GPU kind.
struct TableFolder {
  std::filesystem::path path;
  /// Of the GPU that was measured: times are scaled from them to those of the topology file. No
  /// value: the tables are taken as they are.
  std::optional<PeakRates> measured_on;
  bool borrowed = false; ///< another GPU kind was measured
};

/// One row of `devices.csv`.
struct DeviceRow {
  std::vector<std::string> borrows; ///< kinds whose tables stand in, the nearest first
  PeakRates peaks;
};

/// The rows of `calibration/devices.csv` by kind; none if there is no such file. Throws InputError
/// if it is malformed, repeats a kind, or names tables that are not there.
std::map<std::string, DeviceRow> read_devices(const std::filesystem::path& calibration);

/// The kinds that have a folder with tables below `calibration`, by name.
std::vector<std::string> measured_kinds(const std::filesystem::path& calibration);

/// Where to look for a table of `kind`, in order: its own folder below `calibration`, then those
/// that its row of `devices.csv` names. None: kernels are timed by a roofline. Throws InputError,
/// with the known kinds, for a kind that has neither folder nor row; and as read_devices.
std::vector<TableFolder> find_table_folders(const std::filesystem::path& calibration,
                                            const std::string& kind);

} // namespace moesim
