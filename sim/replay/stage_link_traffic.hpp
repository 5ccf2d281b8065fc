#pragma once

#include "sim/replay/stage_routes.hpp"
#include "sim/replay/traffic_model.hpp"

namespace moesim {

/// Strategy for stages with too many different ranks to replay: a collective takes the loads of all
/// groups of the stage on the busiest link of each kind.
class StageLinkTraffic final : public TrafficModel {
public:
  explicit StageLinkTraffic(const TrafficContext& context) : context_(context), routes_(context) {}

  TrafficPlan collective(const CollectiveWork& work, DeviceId device) override;
  std::vector<PlannedFlow> transfer(DeviceId source, DeviceId sink, double bytes) override;

private:
  TrafficPhase plan_phase(const CollectiveFlows& group, std::size_t phase,
                          const CollectiveWork& work, const Device& device);

  TrafficContext context_;
  StageRoutes routes_;
};

} // namespace moesim
