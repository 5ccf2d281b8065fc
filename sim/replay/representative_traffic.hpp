#pragma once

#include "sim/replay/farthest_flows.hpp"
#include "sim/replay/ring_crossings.hpp"
#include "sim/replay/traffic_model.hpp"

namespace moesim {

/// Strategy for stages whose ranks all carry the same loads: the flows of one rank represent its
/// stage.
class RepresentativeTraffic final : public TrafficModel {
public:
  explicit RepresentativeTraffic(const TrafficContext& context)
      : context_(context), farthest_(context),
        crossings_(context.plan, context.topology, context.symmetry) {}

  TrafficPlan collective(const CollectiveWork& work, DeviceId device) override;
  std::vector<PlannedFlow> transfer(DeviceId source, DeviceId sink, double bytes) override;

private:
  TrafficPhase plan_phase(const CollectiveFlows& group, std::size_t phase,
                          const CollectiveWork& work, DeviceId device);
  /// Plans the flows that one rank sends. Flows with the same hops are joined.
  std::vector<PlannedFlow> plan_flows(const std::vector<RankFlow>& flows, const FlowKind& kind);
  /// Adds the flow of rings across links between switches. Rings cross a switch's uplink only
  /// between neighbours on different switches. Their flows are therefore counted over all rings of
  /// the stage, and one flow represents those of the busiest link. NICs are counted too if only
  /// some ranks of a ring send to another domain.
  void add_crossing(const CollectiveWork& work, const Device& device, const FlowKind& kind,
                    double mean_amount, std::vector<PlannedFlow>& flows);

  TrafficContext context_;
  FarthestFlows farthest_;
  RingCrossings crossings_;
};

} // namespace moesim
