#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/search/step_replay.hpp"

namespace moesim {

/// Fills the columns of load imbalance: load_max_over_mean, load_gini,
/// load_coefficient_of_variation and rank_load_max_over_mean, each as the maximum over layers and
/// micro-batches, and the dropped tokens of all.
void fill_routing(const Workload& workload, const ExpertLoads& loads, StepResult& result);

/// Time that ranks of mean load wait for the experts of the busiest rank. In each layer,
/// micro-batch and pass, it is the time of the experts' kernels with the busiest rank's tokens less
/// the time with the mean. The result is that of the stage with the longest wait.
Seconds straggler_time(const Workload& workload, const ExpertLoads& loads, const ComputeCost& cost);

/// Fills straggler_ms, the time that `step_time_ms` exceeds that of a step with even loads, and the
/// part that uneven experts alone cause. Takes two replays, both approximate if that of the step
/// was. All are 0 with even loads.
void fill_imbalance(const Scenario& scenario, const ExpertLoads& loads, const Topology& topology,
                    const Costs& costs, StepResult& result);

} // namespace moesim
