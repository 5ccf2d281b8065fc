#pragma once

#include "sim/replay/traffic_model.hpp"

namespace moesim {

/// Strategy for collectives as loads of their own group on each link. The slowest link ends the
/// collective.
class GroupLinkTraffic final : public TrafficModel {
public:
  explicit GroupLinkTraffic(const TrafficContext& context) : context_(context) {}

  TrafficPlan collective(const CollectiveWork& work, DeviceId device) override;
  /// The flow between one pair of ranks.
  std::vector<PlannedFlow> transfer(DeviceId source, DeviceId sink, double bytes) override;

private:
  TrafficContext context_;
};

} // namespace moesim
