#pragma once

#include "sim/replay/class_flows.hpp"
#include "sim/replay/farthest_flows.hpp"
#include "sim/replay/traffic_model.hpp"

#include <map>
#include <optional>
#include <tuple>

namespace moesim {

/// The classes of the flows of groups, by `fold_flows`. Notes whether the links of a class carry
/// unequal amounts.
std::vector<ClassFlow> find_classes(const std::vector<std::vector<RankFlow>>& groups,
                                    const TrafficContext& context);

/// One flow for each class, with the amounts of one group's flows. The weight of a flow is its
/// amount over the mean: a larger message gets a larger share of a link, because NCCL gives it more
/// channels and DeepEP sends tokens in their order.
std::vector<PlannedFlow> plan_classes(const std::vector<RankFlow>& flows,
                                      const std::vector<ClassFlow>& classes, const FlowKind& kind,
                                      const TrafficContext& context);

/// Strategy for ranks in classes of one or more: one flow for each class of flows.
class ClassTraffic final : public TrafficModel {
public:
  explicit ClassTraffic(const TrafficContext& context) : context_(context), farthest_(context) {}

  TrafficPlan collective(const CollectiveWork& work, DeviceId device) override;
  std::vector<PlannedFlow> transfer(DeviceId source, DeviceId sink, double bytes) override;

private:
  TrafficPhase plan_phase(const CollectiveFlows& group, std::size_t phase,
                          const CollectiveWork& work, DeviceId device);
  /// Classes by collective, group, phase and the device of the rank.
  using ClassKey = std::tuple<Collective, GroupKind, std::size_t, DeviceId>;
  /// The classes of a phase's flows, found at their first use.
  const std::vector<ClassFlow>& classes_of(const CollectiveFlows& group, std::size_t phase,
                                           const CollectiveWork& work, const Device& device);
  /// Classes of another stage of equal structure, moved to the stage of the device; null for the
  /// first stage that needs them.
  std::optional<std::vector<ClassFlow>> classes_of_copy(ClassKey key) const;

  TrafficContext context_;
  FarthestFlows farthest_;
  std::map<ClassKey, std::vector<ClassFlow>> classes_;
};

} // namespace moesim
