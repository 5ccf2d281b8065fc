#include "sim/search/lone_communications.hpp"

#include <algorithm>

namespace moesim {

void WorkTimes::add(const WorkTimes& other, double times) {
  serial += times * other.serial;
  uses.resize(std::max(uses.size(), other.uses.size()), 0.0);
  for (std::size_t resource = 0; resource < other.uses.size(); ++resource)
    uses[resource] += times * other.uses[resource];
}

namespace {

/// The layout of a replay of the plan's steps, or one in which communications take no longer.
ReplayLayout lone_layout(const ParallelPlan& plan, const Topology& topology,
                         bool ranks_carry_alike) {
  if (ranks_sit_alike(plan, topology))
    return fold_stages(plan);
  if (ranks_carry_alike && topology.regular()) {
    if (auto few = fold_rings_together(plan, topology))
      return *std::move(few);
    return fold_into_classes(plan, topology, true);
  }
  return {one_rank_per_stage(plan), LoadModel::group_links};
}

} // namespace

LoneCommunications::LoneCommunications(ParallelPlan plan, const Topology& topology,
                                       const Costs& costs, bool ranks_carry_alike)
    : plan_(std::move(plan)), topology_(topology),
      layout_(lone_layout(plan_, topology, ranks_carry_alike)),
      stages_alike_(stages_sit_alike(plan_, topology)),
      links_known_(layout_.model != LoadModel::group_links),
      planner_(layout_, plan_, topology, costs.network, &costs.compute) {}

DeviceId LoneCommunications::device_of(std::int64_t stage) const {
  return layout_.layout.device_of(RankId(static_cast<std::uint32_t>(stage * plan_.stage_ranks())));
}

const WorkTimes& LoneCommunications::collective(const CollectiveWork& work, std::int64_t stage) {
  const std::int64_t place = representative(stage);
  const auto [known, added] = collectives_.try_emplace({work, place});
  WorkTimes& times = known->second;
  if (!added)
    return times;
  const DeviceId device = device_of(place);
  const TrafficPlan& plan = planner_.collective(work, {work.group, {device}});
  times.serial = time_alone(plan, planner_.folding());
  if (!links_known_)
    return times;
  for (const TrafficPhase& phase : plan.phases)
    for (const PlannedFlow& flow : phase.flows)
      for (const MachineRoute::Hop& hop : flow.route.hops)
        use(place, hop, flow.amount, times);
  return times;
}

void LoneCommunications::use(std::int64_t stage, const MachineRoute::Hop& hop, double amount,
                             WorkTimes& times) {
  const LinkFolding& folding = planner_.folding();
  const std::uint32_t link =
      layout_.model == LoadModel::representative
          ? static_cast<std::uint32_t>(topology_.link(folding.originals()[hop.link]).kind)
          : hop.link;
  std::map<std::uint32_t, std::size_t>& links = resources_[stage];
  const std::size_t resource = links.try_emplace(link, links.size() + 1).first->second;
  times.uses.resize(std::max(times.uses.size(), resource + 1), 0.0);
  times.uses[resource] += amount * hop.times / folding.capacity(hop.link).value;
}

BesideCompute LoneCommunications::beside(const CollectiveWork& work, std::int64_t stage) {
  const DeviceId device = device_of(representative(stage));
  return planner_.beside_compute(work, {work.group, {device}});
}

const WorkTimes& LoneCommunications::transfer(const TransferWork& work, std::int64_t from,
                                              std::int64_t to) {
  const auto [known, added] = transfers_.try_emplace({work.bytes.value, from, to});
  WorkTimes& times = known->second;
  if (!added || from == to)
    return times;
  const TrafficPlan& plan = planner_.transfer(work, {device_of(from), device_of(to)});
  times.serial = time_alone(plan, planner_.folding());
  // Links of stages that one rank each represents correspond to each other by kind.
  if (!links_known_ || (layout_.model != LoadModel::representative && representative(from) != from))
    return times;
  for (const TrafficPhase& phase : plan.phases)
    for (const PlannedFlow& flow : phase.flows)
      for (const MachineRoute::Hop& hop : flow.route.hops)
        if (!is_inbound(topology_.link(planner_.folding().originals()[hop.link]).kind))
          use(representative(from), hop, flow.amount, times);
  return times;
}

} // namespace moesim
