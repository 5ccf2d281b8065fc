#pragma once

#include "sim/search/step_replay.hpp"

#include <optional>
#include <string>

namespace moesim {

/// The best legal plan of a dense model on the GPUs of `workload`, found by increasing bound:
/// tensor degrees up to a node, pipeline degrees up to the layers, with and without full recompute
/// where memory asks for it.
struct BestPlan {
  ParallelPlan plan;
  StepReplay replay;
};
/// Nothing if no plan fits into memory.
std::optional<BestPlan> best_dense_plan(const Workload& workload, const Topology& topology,
                                        Fidelity fidelity, const Costs& costs);

/// "tensor 8, pipeline 4, data 4, recompute none".
std::string plan_text(const ParallelPlan& plan);

} // namespace moesim
