#pragma once

#include "sim/cost/host_cost.hpp"
#include "sim/replay/traffic_model.hpp"

namespace moesim {

/// Adds the time of the host of `member` to post the messages of a dispatch or combine to its plan.
/// The links are idle meanwhile: posting and transfer do not overlap.
void add_host_posts(const CollectiveWork& work, RankId member, const HostCost& host,
                    const TrafficContext& context, TrafficPlan& plan);

} // namespace moesim
