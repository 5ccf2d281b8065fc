#include "sim/replay/chains.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace moesim {

namespace {

/// Who loads a link.
struct LinkUsers {
  std::optional<DeviceId> device; ///< the only one, if `several` is false
  std::set<Stream> concurrent;    ///< of its streams, those that run beside others
  bool several = false;           ///< more than one device, or transfers
};

/// Links that only the collectives of one device use, which never overlap each other: nothing
/// contends for such a link.
std::vector<bool> find_private_links(const StepGraph& graph, const TrafficPlans& plans,
                                     const LinkFolding& folding) {
  std::map<TrafficKey, Stream> streams;
  for (const Op& op : graph.ops)
    if (op.kind != OpKind::compute)
      streams.emplace(key_of(op), op.stream);
  std::vector<LinkUsers> users(folding.originals().size());
  for (const auto& [key, plan] : plans) {
    const auto& [kind, work, place] = key;
    const bool alone = kind == OpKind::collective && graph.groups[place].devices.size() == 1;
    for (const PlannedFlow& flow : flows_of(plan))
      for (const MachineRoute::Hop& hop : flow.route.hops) {
        LinkUsers& user = users[hop.link];
        if (!alone || (user.device && user.device != graph.groups[place].devices.front())) {
          user.several = true;
          continue;
        }
        user.device = graph.groups[place].devices.front();
        if (graph.concurrent.contains(streams.at(key)))
          user.concurrent.insert(streams.at(key));
      }
  }
  std::vector<bool> is_private;
  for (const LinkUsers& user : users)
    is_private.push_back(!user.several && user.concurrent.size() < 2);
  return is_private;
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

std::vector<double> find_durations(const StepGraph& graph, const TrafficPlans& plans,
                                   const LinkFolding& folding,
                                   const std::vector<double>& compute_durations) {
  const std::vector<bool> is_private = find_private_links(graph, plans, folding);
  std::map<TrafficKey, double> known;
  for (const auto& [key, plan] : plans) {
    const bool fixed =
        std::all_of(plan.phases.begin(), plan.phases.end(),
                    [&](const TrafficPhase& phase) { return runs_alone(phase, is_private); });
    known[key] = fixed ? time_alone(plan, folding).value : -1.0;
  }
  std::vector<double> durations;
  for (std::size_t op = 0; op < graph.ops.size(); ++op)
    durations.push_back(graph.ops[op].kind == OpKind::compute ? compute_durations[op]
                                                              : known.at(key_of(graph.ops[op])));
  return durations;
}

} // namespace

std::vector<PlannedFlow> flows_of(const TrafficPlan& plan) {
  std::vector<PlannedFlow> flows;
  for (const TrafficPhase& phase : plan.phases)
    flows.insert(flows.end(), phase.flows.begin(), phase.flows.end());
  return flows;
}

Chains find_chains(const StepGraph& graph, const TrafficPlans& plans, const LinkFolding& folding,
                   const std::vector<double>& compute_durations) {
  Chains chains;
  chains.duration = find_durations(graph, plans, folding, compute_durations);
  chains.next.assign(graph.ops.size(), Chains::no_op);
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op) {
    const auto successors = graph.successors(OpId(op));
    if (chains.duration[op] >= 0.0 && successors.size() == 1 &&
        graph.predecessor_count(successors.front()) == 1 &&
        chains.duration[index(successors.front())] >= 0.0)
      chains.next[op] = static_cast<std::uint32_t>(index(successors.front()));
  }
  return chains;
}

} // namespace moesim
