#pragma once

#include "sim/replay/step_traffic.hpp"
#include "sim/replay/timeline.hpp"

#include <vector>

namespace moesim {

/// The end of a run of operations that starts at `start`, in seconds.
double end_of_run(const RunTimes& run, double start);

/// The seconds from the end of each operation to the end of the step at the earliest, by OpId: the
/// longest chain of operations that follow it, each communication alone on its links. `durations`
/// and `runs` as for Player.
std::vector<double> times_after(const StepGraph& graph, const StepTraffic& traffic,
                                const std::vector<double>& durations,
                                const std::vector<RunTimes>& runs);

} // namespace moesim
