#include "sim/replay/representative_traffic.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

TrafficPlan RepresentativeTraffic::collective(const CollectiveWork& work, DeviceId device) {
  const Device& member = context_.device(device);
  const CollectiveFlows group = flows_of_group(work, member.rank, context_);
  return plan_phases(group, context_.costs,
                     [&](std::size_t phase) { return plan_phase(group, phase, work, device); });
}

TrafficPhase RepresentativeTraffic::plan_phase(const CollectiveFlows& group, std::size_t phase,
                                               const CollectiveWork& work, DeviceId device) {
  const FlowKind kind = kind_of(group);
  const Device& member = context_.device(device);
  const std::size_t position = group.position_of(member.rank);
  std::vector<RankFlow> flows;
  // In a ragged ring only some ranks send to another domain, and all wait for these: keep the
  // farthest sender's flows.
  const std::size_t sender =
      is_ring(work.kind) ? farthest_.of(group, phase, work, device).position : position;
  group.append(phase, sender, flows);
  const Seconds path = find_farthest(flows, group.ranks()[sender], context_.topology).path;
  TrafficPhase planned{context_.costs.startup(kind, group.peers(phase, position)) + path,
                       plan_flows(flows, kind)};
  if (is_ring(work.kind))
    add_crossing(work, member, kind, context_.costs.mean_amount(flows, kind), planned.flows);
  return planned;
}

std::vector<PlannedFlow> RepresentativeTraffic::plan_flows(const std::vector<RankFlow>& flows,
                                                           const FlowKind& kind) {
  std::vector<PlannedFlow> planned;
  Route route;
  const double mean = context_.costs.mean_amount(flows, kind);
  for (const RankFlow& flow : flows) {
    if (flow.bytes <= 0.0)
      continue;
    find_route(context_.topology, flow, route);
    MachineRoute folded = context_.folding.route(flow.source, route);
    const double amount = context_.costs.amount(flow, kind);
    folded.weight = amount / mean;
    const auto same = std::find_if(planned.begin(), planned.end(), [&](const PlannedFlow& other) {
      return other.route.hops == folded.hops;
    });
    if (same != planned.end()) {
      same->route.weight += folded.weight;
      same->bytes += flow.bytes;
      same->amount += amount;
    } else {
      planned.push_back({std::move(folded), flow.bytes, amount});
    }
  }
  return planned;
}

void RepresentativeTraffic::add_crossing(const CollectiveWork& work, const Device& device,
                                         const FlowKind& kind, double mean_amount,
                                         std::vector<PlannedFlow>& flows) {
  const Topology& topology = context_.topology;
  // A tensor-parallel group whose size divides a node stays in it.
  if (work.group == GroupKind::tensor && topology.spec().node.gpus % context_.plan.tensor == 0)
    return;
  const RingCrossing& crossing = crossings_.of(work, device.stage);
  if (crossing.loads.empty())
    return;
  for (PlannedFlow& flow : flows)
    std::erase_if(flow.route.hops, [&](const MachineRoute::Hop& hop) {
      return crossing.counts(topology.link(context_.folding.originals()[hop.link]).kind);
    });
  RankFlow flow = crossing.flow;
  const double scale = static_cast<double>(work.bytes.value) / crossing.of_bytes;
  flow.bytes *= scale;
  flow.message_bytes *= scale;
  PlannedFlow planned{{}, flow.bytes, context_.costs.amount(flow, kind)};
  planned.route.weight = planned.amount / mean_amount;
  for (const auto& [link_kind, load] : crossing.loads)
    planned.route.hops.push_back(context_.folding.hop(device.rank, link_kind, load));
  flows.push_back(std::move(planned));
}

std::vector<PlannedFlow> RepresentativeTraffic::transfer(DeviceId source, DeviceId sink,
                                                         double bytes) {
  return plan_flows({{context_.device(source).rank, context_.device(sink).rank, bytes, bytes}},
                    point_to_point_kind());
}

} // namespace moesim
