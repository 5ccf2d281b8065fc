#pragma once

#include "sim/base/input_error.hpp"
#include "sim/cost/compute_constants.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace moesim {

/// A ratio with its error and its position in the file.
struct RatioRow {
  Uncertain ratio;
  InputLocation where;
};

/// The ratios of a file by name, added to those of `known`. `name` and `ratio` are the names of its
/// columns, beside error_percent, provenance and source. A missing file adds none. Throws
/// InputError if the file is malformed or repeats a name.
std::map<std::string, RatioRow> read_ratios(const std::filesystem::path& file,
                                            const std::string& name, const std::string& ratio,
                                            std::map<std::string, RatioRow> known = {});

} // namespace moesim
