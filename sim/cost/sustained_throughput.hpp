#pragma once

#include "sim/cost/compute_constants.hpp"

#include <filesystem>
#include <string>

namespace moesim {

/// Throughput of GEMMs and attention under long load, over that of the short runs in the tables: a
/// GPU at its power limit lowers its clocks. From the row of `kind` in
/// `calibration/sustained_throughput.csv` (device, ratio, error_percent, provenance, source), or
/// `otherwise` where there is none. Throws InputError if the file is malformed or repeats a kind.
Uncertain sustained_throughput(const std::filesystem::path& calibration, const std::string& kind,
                               const Uncertain& otherwise);

} // namespace moesim
