#include "sim/replay/traffic_model.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/class_traffic.hpp"
#include "sim/replay/group_link_traffic.hpp"
#include "sim/replay/representative_traffic.hpp"
#include "sim/replay/stage_link_traffic.hpp"

#include <algorithm>

namespace moesim {

std::unique_ptr<TrafficModel> make_traffic_model(LoadModel model, const TrafficContext& context) {
  switch (model) {
  case LoadModel::classes:
    return std::make_unique<ClassTraffic>(context);
  case LoadModel::representative:
    return std::make_unique<RepresentativeTraffic>(context);
  case LoadModel::stage_links:
    return std::make_unique<StageLinkTraffic>(context);
  case LoadModel::group_links:
    return std::make_unique<GroupLinkTraffic>(context);
  }
  INVARIANT(false, "no strategy for load model {}", static_cast<int>(model));
}

CollectiveFlows flows_of_group(const CollectiveWork& work, RankId member,
                               const TrafficContext& context) {
  return {work, group_of(context.plan, work.group, member), context.topology};
}

TrafficPlan plan_phases(const CollectiveFlows& flows, const FlowCosts& costs,
                        const std::function<TrafficPhase(std::size_t)>& plan_phase) {
  const FlowKind kind = kind_of(flows);
  TrafficPlan plan{kind.outside, {}, 0.0};
  for (std::size_t phase = 0; phase < flows.phases(); ++phase) {
    plan.phases.push_back(plan_phase(phase));
    plan.error = std::max(plan.error, costs.error(kind, flows.peers(phase, 0)));
  }
  return plan;
}

void move_ahead(std::int64_t stages, MachineRoute& route, const TrafficContext& context) {
  LinkFolding& folding = context.folding;
  for (MachineRoute::Hop& hop : route.hops)
    hop = folding.hop(context.symmetry->ahead(folding.originals()[hop.link], stages), hop.times);
}

void move_ahead(std::int64_t stages, const std::vector<LinkId>& asked, TrafficPlan& plan,
                const TrafficContext& context) {
  // Links get their numbers in the order in which that stage would have asked for them.
  for (const LinkId link : asked)
    context.folding.hop(context.symmetry->ahead(link, stages));
  for (TrafficPhase& phase : plan.phases)
    for (PlannedFlow& flow : phase.flows)
      move_ahead(stages, flow.route, context);
}

} // namespace moesim
