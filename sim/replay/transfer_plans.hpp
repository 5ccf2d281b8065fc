#pragma once

#include "sim/replay/traffic_model.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>

namespace moesim {

/// Plans of transfers, each made once for all pairs of stages at the same distance.
class TransferPlans {
public:
  /// Arguments, and the objects that the context names, must outlive the plans.
  TransferPlans(TrafficModel& model, const TrafficContext& context)
      : model_(model), context_(context) {}

  TrafficPlan of(const TransferWork& work, const DevicePair& pair);

private:
  /// A plan of the first stage that needed it, and the links that its making asked for, in order.
  struct StagePlan {
    std::int64_t stage = 0;
    std::vector<LinkId> links;
    TrafficPlan plan;
  };
  TrafficPlan plan(const TransferWork& work, const DevicePair& pair);

  TrafficModel& model_;
  TrafficContext context_;
  /// Plans by bytes, classes of the ranks, and stages from source to sink; used if all stages have
  /// the same structure.
  std::map<std::tuple<std::int64_t, std::size_t, std::size_t, std::int64_t>, StagePlan> known_;
};

} // namespace moesim
