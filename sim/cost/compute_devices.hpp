#pragma once

#include "sim/base/units.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace moesim {

/// Where the kernel times of a GPU kind come from.
struct DeviceTables {
  /// Dense peaks of the GPU on which borrowed tables were measured.
  struct Peaks {
    FlopsPerSecond bf16;
    FlopsPerSecond fp8;
  };

  std::optional<std::filesystem::path> folder; ///< no value: no tables, a roofline over the peaks
  std::optional<Peaks> measured_on; ///< no value: the tables are those of the kind itself
};

/// The tables of `kind`: its own folder below `calibration`, else what its row of `devices.csv`
/// there names. Throws InputError, with the known kinds, for a kind that has neither; likewise if
/// `devices.csv` is malformed, repeats a kind, or names tables that are not there. A calibration
/// without `devices.csv` has no such rows.
DeviceTables find_device_tables(const std::filesystem::path& calibration, const std::string& kind);

} // namespace moesim
