#pragma once

#include "sim/cost/compute_constants.hpp"
#include "sim/cost/named_row.hpp"

#include <filesystem>
#include <string>

namespace moesim {

/// Time that a node's host takes for the framework's work over the time of "xeon", the host of
/// `host_operator_time` and `host_launch_time`. From `calibration/hosts.csv` (host, time_ratio,
/// error_percent, provenance, source). Throws InputError, with the known hosts, for one that has no
/// row, and if the file is malformed or repeats a host.
Uncertain host_slowdown(const std::filesystem::path& calibration, const NamedRow& host);

} // namespace moesim
