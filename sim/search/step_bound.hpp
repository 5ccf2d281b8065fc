#pragma once

#include "sim/cost/costs.hpp"
#include "sim/platform/topology.hpp"
#include "sim/workload/workload.hpp"

namespace moesim {

/// A time that a step under 1F1B without overlap of micro-batches cannot beat: the busiest stage's
/// work one after the other, behind the stages that must fill the pipeline before it;
/// communications alone on their links. On clusters where a stage straddles leaves the bound may be
/// too high by `bound_slack`, as rings are bounded by the busiest uplink of their stage.
constexpr double bound_slack = 1e-3;
Seconds step_time_bound(const Workload& workload, const Topology& topology, const Costs& costs);

/// The busiest stage's compute alone, without communication: a bound that is quicker to find.
Seconds compute_bound(const Workload& workload, const Costs& costs);

} // namespace moesim
