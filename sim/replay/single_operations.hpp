#pragma once

#include "sim/replay/step_traffic.hpp"
#include "sim/replay/timeline.hpp"
#include "sim/schedule/step_graph.hpp"

namespace moesim {

/// A replay whose graph has no runs: each operation has its own times and flows.
struct SingleOperations {
  StepGraph graph;
  Timeline timeline;
};

/// Takes the runs of a replay apart, for traces and link uses. Operations of a run follow each
/// other, at the times of the replay; a compute becomes one operation on each device of its run.
/// `traffic` is that of the replay. The timeline must be finished.
SingleOperations single_operations(const StepGraph& graph, const Timeline& timeline,
                                   StepTraffic& traffic);

} // namespace moesim
