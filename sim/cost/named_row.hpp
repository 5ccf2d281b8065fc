#pragma once

#include "sim/base/input_error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// The name of a row of a calibration table, and the position of the input that names it.
struct NamedRow {
  std::string name;
  InputLocation where = {};
};

/// Throws InputError for a name that is not in `table`: where it is named, or for the whole table
/// if that is not known. The message gives `key` and the known names, the hint the nearest of them.
[[noreturn]] void fail_unknown(const std::string& key, const NamedRow& row,
                               const std::vector<std::string>& known,
                               const std::filesystem::path& table);

} // namespace moesim
