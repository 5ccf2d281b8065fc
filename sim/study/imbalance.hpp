#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/search/step_replay.hpp"

namespace moesim {

/// Fills the columns of how uneven the loads of a workload are: load_max_over_mean, load_gini,
/// load_coefficient_of_variation and rank_load_max_over_mean, each of the layer and micro-batch in
/// which it is the highest, and the dropped tokens of all.
void fill_routing(const Workload& workload, const ExpertLoads& loads, StepResult& result);

/// What ranks of the mean load wait for the busiest one's experts: in each layer, micro-batch and
/// pass, the time of the experts' kernels with its tokens less the time with the mean. Of the stage
/// where that is the most.
Seconds straggler_time(const Workload& workload, const ExpertLoads& loads, const ComputeCost& cost);

/// Fills straggler_ms and how much longer than an even step the step of `step_time_ms` takes, and
/// which part of it uneven experts alone would make: two replays. 0 where loads are even.
void fill_imbalance(const Scenario& scenario, const ExpertLoads& loads, const Topology& topology,
                    const Costs& costs, StepResult& result);

} // namespace moesim
