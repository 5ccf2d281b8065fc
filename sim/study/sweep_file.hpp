#pragma once

#include "sim/input/toml_document.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// One value of an axis: a cell for each of its columns, and the keys that it sets.
struct AxisValue {
  std::vector<std::string> cells;
  std::vector<TomlSetting> settings;
};

/// An axis of a sweep: a key with a list of values, or rows of keys that vary together.
struct SweepAxis {
  std::string name; ///< the key, or the name of the rows
  /// The keys of rows: columns beside the one of the axis. None for a list of values.
  std::vector<std::string> keys;
  std::vector<AxisValue> values;
};

/// A sweep file as it is written: workloads/SWEEP.md.
struct SweepFile {
  std::filesystem::path scenario;
  std::vector<TomlSetting> settings; ///< of [set]
  std::vector<SweepAxis> axes;       ///< in the order of the file
};

/// Reads and checks the file itself, not yet the keys and values of the scenario. Paths among the
/// values are rewritten: in the file they are relative to it, in settings to the scenario. Throws
/// InputError.
SweepFile read_sweep_file(const std::filesystem::path& path);

} // namespace moesim
