#pragma once

#include "sim/routing/placement.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>

namespace moesim {

/// The plan's request for the placement of a layer's experts on the ranks of a group.
PlacementRequest placement_request(const Workload& workload);

/// The placement of a layer's experts. A placement by load knows the loads of the step, apart from
/// random draws: the shares of its law, or the rows of the recording that the step uses. This is an
/// upper bound for a balancer that learns from earlier steps.
Placement placement_of(const Workload& workload, std::int64_t layer);

} // namespace moesim
