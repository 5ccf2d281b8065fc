#pragma once

#include "sim/replay/traffic_model.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>

namespace moesim {

/// Plans of transfers, each made once for all pairs of stages that are as far apart.
class TransferPlans {
public:
  /// Arguments, and the objects that the context names, must outlive the plans.
  TransferPlans(TrafficModel& model, const TrafficContext& context)
      : model_(model), context_(context) {}

  TrafficPlan of(const TransferWork& work, const DevicePair& pair);

private:
  /// A plan from the first stage that asked for it, and the links asked for meanwhile, in order.
  struct StagePlan {
    std::int64_t stage = 0;
    std::vector<LinkId> links;
    TrafficPlan plan;
  };
  TrafficPlan plan(const TransferWork& work, const DevicePair& pair);

  TrafficModel& model_;
  TrafficContext context_;
  /// By bytes, classes of the ranks, and stages from source to sink; filled where stages are
  /// copies.
  std::map<std::tuple<std::int64_t, std::size_t, std::size_t, std::int64_t>, StagePlan> known_;
};

} // namespace moesim
