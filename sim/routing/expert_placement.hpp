#pragma once

#include "sim/routing/placement.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>

namespace moesim {

/// What the plan asks of the placement of a layer's experts on the ranks of a group.
PlacementRequest placement_request(const Workload& workload);

/// Where the experts of a layer sit. Placement by load knows the loads that the step will have, by
/// chance excepted: the shares of its law, or the rows of the recording that the step uses. It is
/// the best that a balancer can do which learns from steps like this one.
Placement placement_of(const Workload& workload, std::int64_t layer);

} // namespace moesim
