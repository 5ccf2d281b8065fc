#pragma once

#include "sim/study/simulate.hpp"

namespace moesim {

/// Speed of a scenario's step while the first NIC of its first node is down, over that of
/// `step_time_ms`, its own: at most 1. Replays the step under its plan. Throws InputError if the
/// step cannot run so.
double speed_without_nic(const Scenario& scenario, const Costs& costs, double step_time_ms);

} // namespace moesim
