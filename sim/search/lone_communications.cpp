#include "sim/search/lone_communications.hpp"

#include <algorithm>

namespace moesim {

void WorkTimes::add(const WorkTimes& other, double times) {
  serial += times * other.serial;
  uses.resize(std::max(uses.size(), other.uses.size()), 0.0);
  for (std::size_t resource = 0; resource < other.uses.size(); ++resource)
    uses[resource] += times * other.uses[resource];
}

LoneCommunications::LoneCommunications(ParallelPlan plan, const Topology& topology,
                                       const Costs& costs)
    : plan_(std::move(plan)), layout_{one_rank_per_stage(plan_),
                                      // A group's own loads are a bound wherever its ranks sit.
                                      topology.regular() && ranks_sit_alike(plan_, topology)
                                          ? LoadModel::representative
                                          : LoadModel::group_links},
      stages_alike_(stages_sit_alike(plan_, topology)),
      links_known_(ranks_sit_alike(plan_, topology)),
      planner_(layout_, plan_, topology, costs.network, &costs.compute) {}

const WorkTimes& LoneCommunications::collective(const CollectiveWork& work, std::int64_t stage) {
  const std::int64_t place = representative(stage);
  const auto [known, added] = collectives_.try_emplace({work, place});
  WorkTimes& times = known->second;
  if (!added)
    return times;
  const DeviceId device{static_cast<std::uint32_t>(place)};
  const TrafficPlan& plan = planner_.collective(work, {work.group, {device}});
  times.serial = time_alone(plan, planner_.folding());
  if (!links_known_)
    return times;
  std::map<std::uint32_t, std::size_t>& links = resources_[place];
  for (const TrafficPhase& phase : plan.phases)
    for (const PlannedFlow& flow : phase.flows)
      for (const MachineRoute::Hop& hop : flow.route.hops) {
        const std::size_t resource = links.try_emplace(hop.link, links.size() + 1).first->second;
        times.uses.resize(std::max(times.uses.size(), resource + 1), 0.0);
        times.uses[resource] +=
            flow.amount * hop.times / planner_.folding().capacity(hop.link).value;
      }
  return times;
}

BesideCompute LoneCommunications::beside(const CollectiveWork& work, std::int64_t stage) {
  const DeviceId device{static_cast<std::uint32_t>(representative(stage))};
  return planner_.beside_compute(work, {work.group, {device}});
}

Seconds LoneCommunications::transfer(const TransferWork& work, std::int64_t from, std::int64_t to) {
  if (from == to)
    return {};
  const DevicePair pair{DeviceId(static_cast<std::uint32_t>(from)),
                        DeviceId(static_cast<std::uint32_t>(to))};
  return time_alone(planner_.transfer(work, pair), planner_.folding());
}

} // namespace moesim
