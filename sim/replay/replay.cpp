#include "sim/replay/replay.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/player.hpp"

#include <algorithm>
#include <map>

namespace moesim {

namespace {

/// The communication beside a compute on a device.
BesideCompute communication_beside(const ComputeWork& compute, std::uint32_t device,
                                   const StepGraph& graph, TrafficPlanner& planner) {
  if (!compute.beside)
    return {};
  for (const DeviceGroup& group : graph.groups)
    if (group.kind == compute.beside->group && std::find(group.devices.begin(), group.devices.end(),
                                                         DeviceId(device)) != group.devices.end())
      return planner.beside_compute(*compute.beside, group);
  return {};
}

/// Seconds by OpId; 0 for operations that do not compute.
std::vector<double> compute_durations(const StepGraph& graph, const ReplayContext& context,
                                      TrafficPlanner& planner) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, double> known; // by work and device
  std::vector<double> durations(graph.ops.size(), 0.0);
  for (std::size_t op = 0; op < graph.ops.size(); ++op) {
    const auto& [kind, stream, work, place, micro_batch] = graph.ops[op];
    if (kind != OpKind::compute)
      continue;
    const ComputeWork& compute = graph.computes[work];
    // Where nothing runs beside it and ranks are alike, it takes as long on all devices.
    const bool differs = compute.beside || !compute.by_expert_rank.empty();
    const auto [time, added] = known.emplace(std::pair(work, differs ? place : 0U), 0.0);
    if (added)
      time->second = compute_time(compute, *context.compute,
                                  communication_beside(compute, place, graph, planner),
                                  static_cast<std::size_t>(graph.devices[place].expert_rank))
                         .total.value;
    durations[op] = time->second / context.topology.gpu(graph.devices[place].rank).speed_share;
  }
  return durations;
}

/// Notes what the replay's traffic tells of links, flows and collectives.
void note_traffic(const StepTraffic& traffic, const TrafficPlanner& planner,
                  const Topology& topology, Timeline& timeline) {
  const std::vector<LinkId>& originals = planner.folding().originals();
  const std::vector<double> bytes = traffic.link_bytes(originals.size());
  for (std::size_t link = 0; link < originals.size(); ++link) {
    const Link& real = topology.link(originals[link]);
    timeline.links.push_back({real.name, real.kind, bytes[link], real.capacity});
  }
  for (const StepFlow& flow : traffic.flows()) {
    std::vector<LinkLoad>& loads = timeline.loads.emplace_back();
    for (const MachineRoute::Hop& hop : flow.planned.route.hops)
      loads.push_back({hop.link, flow.planned.bytes * hop.times});
    timeline.mixed.push_back(flow.planned.mixed);
  }
  timeline.algorithms = traffic.algorithms();
  timeline.errors = traffic.errors();
  timeline.uneven = planner.uneven();
  timeline.extrapolated.assign(planner.extrapolated().begin(), planner.extrapolated().end());
}

} // namespace

Replay::Replay(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context)
    : graph_(graph), topology_(context.topology),
      planner_(layout, context.plan, context.topology, context.network, context.compute),
      traffic_(graph, planner_), durations_(compute_durations(graph, context, planner_)),
      links_(planner_.folding().links()) {}

std::optional<Timeline> Replay::play(Sharing sharing) const {
  Timeline timeline;
  if (!Player(graph_, traffic_, durations_, links_).play(sharing, timeline))
    return std::nullopt;
  note_traffic(traffic_, planner_, topology_, timeline);
  return timeline;
}

Timeline replay(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context) {
  return *Replay(graph, layout, context).play(Sharing::allowed);
}

} // namespace moesim
