#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/platform/topology.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

struct Costs;

/// Times the plan of a scenario under the loads of its `uneven_concentration` beside its own even
/// ones: fills uneven_step_time_ms, or the reason why not. Nothing without that key, or experts.
void fill_uneven(const Scenario& scenario, const Topology& topology, const Costs& costs,
                 StepResult& result);

} // namespace moesim
