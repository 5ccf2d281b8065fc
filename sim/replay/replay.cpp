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
  const CollectiveWork& work = graph.works.collectives[*compute.beside];
  for (const DeviceGroup& group : graph.groups)
    if (group.kind == work.group && std::find(group.devices.begin(), group.devices.end(),
                                              DeviceId(device)) != group.devices.end())
      return planner.beside_compute(work, group);
  return {};
}

/// Seconds by OpId; 0 for operations that do not compute.
std::vector<double> compute_durations(const StepGraph& graph, const Topology& topology,
                                      const std::optional<ComputeTimes>& times,
                                      TrafficPlanner& planner) {
  std::vector<double> durations(graph.ops.size(), 0.0);
  if (!times)
    return durations;
  constexpr double unknown = -1.0;
  // Times by work, and by device if devices differ.
  std::vector<double> on_all(graph.works.computes.size(), unknown);
  std::map<std::pair<std::uint32_t, std::uint32_t>, double> on_device;
  std::vector<double> speed_shares;
  for (const Device& device : graph.devices)
    speed_shares.push_back(topology.gpu(device.rank).speed_share);
  for (std::size_t number = 0; number < graph.ops.size(); ++number) {
    const Op& op = graph.ops[number];
    if (op.kind != OpKind::compute)
      continue;
    const ComputeWork& work = graph.works.computes[op.work];
    // Without communication beside it and with equal ranks, a compute takes the same time on all
    // devices.
    const bool differs = work.beside || !work.by_expert_rank.empty();
    double& time = differs ? on_device.try_emplace({op.work, op.location}, unknown).first->second
                           : on_all[op.work];
    if (time == unknown)
      time = times
                 ->of(work, communication_beside(work, op.location, graph, planner),
                      static_cast<std::size_t>(graph.devices[op.location].expert_rank))
                 .value;
    durations[number] = time / speed_shares[op.location];
  }
  return durations;
}

/// Adds the links, flows and collectives of the replay's traffic to the timeline.
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
  const TrafficNotes& notes = planner.notes();
  timeline.uneven = notes.uneven;
  timeline.extrapolated.assign(notes.extrapolated.begin(), notes.extrapolated.end());
  timeline.stand_ins.assign(notes.stand_ins.begin(), notes.stand_ins.end());
}

} // namespace

Replay::Replay(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context)
    : graph_(graph), topology_(context.topology),
      planner_(layout, context.plan, context.topology, context.network, context.compute),
      traffic_(graph, planner_),
      compute_times_(context.compute
                         ? std::optional<ComputeTimes>(std::in_place, graph.works, *context.compute)
                         : std::nullopt),
      durations_(compute_durations(graph, context.topology, compute_times_, planner_)),
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
