#pragma once

#include "sim/cost/compute_constants.hpp"

#include <filesystem>
#include <string>

namespace moesim {

/// How fast matrix products and attention run under long load, over the times of the short runs in
/// the tables: a GPU that draws all its power lowers its clocks. From the row of `kind` in
/// `calibration/sustained_throughput.csv` (device, ratio, error_percent, provenance, source), or
/// `otherwise` where there is none. Throws InputError if the file is malformed or repeats a kind.
Uncertain sustained_throughput(const std::filesystem::path& calibration, const std::string& kind,
                               const Uncertain& otherwise);

} // namespace moesim
