#include "sim/replay/known_durations.hpp"

#include <algorithm>
#include <optional>

namespace moesim {

namespace {

/// Links that only the collectives of one device use. Those without a class of contention never
/// overlap each other, so nothing contends for such a link.
std::vector<bool> find_private_links(const StepGraph& graph, const TrafficPlans& plans,
                                     const LinkFolding& folding) {
  constexpr std::uint32_t nobody = ~0U;
  constexpr std::uint32_t several = nobody - 1;
  std::vector<std::uint32_t> user(folding.originals().size(), nobody);
  for (const auto& [key, plan] : plans) {
    const auto& [kind, work, place] = key;
    const bool alone = kind == OpKind::collective && graph.groups[place].devices.size() == 1;
    const std::uint32_t device =
        alone ? static_cast<std::uint32_t>(index(graph.groups[place].devices.front())) : several;
    for (const PlannedFlow& flow : flows_of(plan))
      for (const MachineRoute::Hop& hop : flow.route.hops)
        user[hop.link] = user[hop.link] == nobody || user[hop.link] == device ? device : several;
  }
  std::vector<bool> is_private;
  for (const std::uint32_t device : user)
    is_private.push_back(device != several);
  return is_private;
}

/// Links that nothing contends for while collectives of a class run: of that class one stream at
/// most uses them, and no other device.
std::vector<bool> find_free_links(const StepGraph& graph, const TrafficPlans& plans,
                                  const std::vector<bool>& is_private, std::uint8_t contention) {
  std::vector<std::optional<GroupKind>> user(is_private.size());
  std::vector<bool> is_free = is_private;
  for (const auto& [key, plan] : plans) {
    const auto& [kind, work, place] = key;
    if (kind != OpKind::collective || graph.collectives[work].contention != contention)
      continue;
    const GroupKind group = graph.collectives[work].group;
    for (const PlannedFlow& flow : flows_of(plan))
      for (const MachineRoute::Hop& hop : flow.route.hops) {
        is_free[hop.link] = is_free[hop.link] && user[hop.link].value_or(group) == group;
        user[hop.link] = group;
      }
  }
  return is_free;
}

/// True if the duration of a phase follows from its own flows: there is one at most, over private
/// links, or each has a private link of its own.
bool runs_alone(const TrafficPhase& phase, const std::vector<bool>& is_private) {
  const bool single_hops =
      std::all_of(phase.flows.begin(), phase.flows.end(),
                  [](const PlannedFlow& flow) { return flow.route.hops.size() == 1; });
  if (phase.flows.size() > 1 && !single_hops)
    return false;
  for (const PlannedFlow& flow : phase.flows)
    for (const MachineRoute::Hop& hop : flow.route.hops)
      if (!is_private[hop.link])
        return false;
  return true;
}

} // namespace

std::vector<PlannedFlow> flows_of(const TrafficPlan& plan) {
  std::vector<PlannedFlow> flows;
  for (const TrafficPhase& phase : plan.phases)
    flows.insert(flows.end(), phase.flows.begin(), phase.flows.end());
  return flows;
}

std::vector<double> known_durations(const StepGraph& graph, const TrafficPlans& plans,
                                    const LinkFolding& folding,
                                    const std::vector<double>& compute_durations) {
  const std::vector<bool> is_private = find_private_links(graph, plans, folding);
  std::vector<std::vector<bool>> is_free{is_private};
  for (std::uint8_t contention = 1; contention <= contention_max; ++contention)
    is_free.push_back(find_free_links(graph, plans, is_private, contention));
  std::map<TrafficKey, double> known;
  for (const auto& [key, plan] : plans) {
    const auto& [kind, work, place] = key;
    const std::vector<bool>& alone =
        is_free[kind == OpKind::collective ? graph.collectives[work].contention : 0];
    const bool fixed =
        std::all_of(plan.phases.begin(), plan.phases.end(),
                    [&](const TrafficPhase& phase) { return runs_alone(phase, alone); });
    known[key] = fixed ? time_alone(plan, folding).value : -1.0;
  }
  std::vector<double> durations;
  for (std::size_t op = 0; op < graph.ops.size(); ++op)
    durations.push_back(graph.ops[op].kind == OpKind::compute ? compute_durations[op]
                                                              : known.at(key_of(graph.ops[op])));
  return durations;
}

} // namespace moesim
