#pragma once

#include "sim/base/input_error.hpp"
#include "sim/cost/compute_constants.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace moesim {

/// A ratio with its error, and where it stands.
struct RatioRow {
  Uncertain ratio;
  InputLocation where;
};

/// The ratios of a file by name: columns `name`, `ratio`, error_percent, provenance, source. They
/// join those that are `known`, which are all if there is no such file. Throws InputError if it is
/// malformed or repeats a name.
std::map<std::string, RatioRow> read_ratios(const std::filesystem::path& file,
                                            const std::string& name, const std::string& ratio,
                                            std::map<std::string, RatioRow> known = {});

} // namespace moesim
