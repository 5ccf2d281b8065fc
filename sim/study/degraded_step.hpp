#pragma once

#include "sim/study/simulate.hpp"

namespace moesim {

/// A scenario with the plan of its result in place of its search.
Scenario with_plan(const Scenario& scenario, const std::string& plan);

/// Speed of a scenario's step while the first NIC of its first node is down, over that of
/// `step_time_ms`, its own: at most 1. Replays the step under its plan. Throws InputError if the
/// step cannot run so.
double speed_without_nic(const Scenario& scenario, const Costs& costs, double step_time_ms);

} // namespace moesim
