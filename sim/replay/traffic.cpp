#include "sim/replay/traffic.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace moesim {

namespace {

bool is_leaf_link(LinkKind kind) {
  return kind == LinkKind::leaf_uplink || kind == LinkKind::leaf_downlink;
}

bool is_nic_link(LinkKind kind) {
  return kind == LinkKind::nic_egress || kind == LinkKind::nic_ingress;
}

/// True for one ring over nodes that hold unlike numbers of its ranks: only some of them send to
/// another node.
bool is_ragged(const std::vector<RankFlow>& ring, std::size_t ranks, const Topology& topology) {
  const auto inside = std::count_if(ring.begin(), ring.end(), [&](const RankFlow& flow) {
    return topology.node_of(flow.source) == topology.node_of(flow.sink);
  });
  return ring.size() == ranks && inside > 0 && inside < static_cast<std::ptrdiff_t>(ranks);
}

} // namespace

// The topology does not name its media yet.
std::string TrafficPlanner::medium_of(Tier tier) {
  return tier == Tier::scale_up ? "nvlink4" : "infiniband";
}

// Where all ranks send to another node, the sharers of a NIC are what loads it.
bool TrafficPlanner::Crossing::counts(LinkKind kind) const {
  return is_leaf_link(kind) || (ragged && is_nic_link(kind));
}

TrafficPlanner::Members TrafficPlanner::members(GroupKind group, RankId rank) const {
  std::map<std::int64_t, std::int64_t> nodes;
  Members members;
  for (const RankId member : group_of(plan_, group, rank))
    members.inside = std::max(members.inside, ++nodes[topology_.node_of(member)]);
  members.outside = static_cast<std::int64_t>(nodes.size());
  members.inside_least = members.inside;
  for (const auto& [node, ranks] : nodes)
    members.inside_least = std::min(members.inside_least, ranks);
  return members;
}

double TrafficPlanner::efficiency(RankId source, RankId sink, Collective kind, double message_bytes,
                                  Members members) const {
  const bool inside = topology_.node_of(source) == topology_.node_of(sink);
  const NodeSpec& node = topology_.spec().node;
  const TierUse use{Bytes{std::llround(message_bytes)}, inside ? members.inside : members.outside,
                    inside ? node.scale_up : node.nic};
  return network_.efficiency(medium_of(inside ? Tier::scale_up : Tier::scale_out), kind, use).share;
}

TrafficPlanner::Farthest TrafficPlanner::find_farthest(const std::vector<RankFlow>& flows,
                                                       RankId first) const {
  Farthest farthest{first, {}};
  Route route;
  for (const RankFlow& flow : flows) {
    topology_.find_route(flow.source, flow.sink, route);
    const Seconds path = topology_.latency(route);
    if (path > farthest.path || (path == farthest.path && flow.source == first))
      farthest = {flow.source, path};
  }
  return farthest;
}

std::vector<PlannedFlow> TrafficPlanner::plan_flows(const std::vector<RankFlow>& flows,
                                                    Collective kind, Members members) {
  std::vector<PlannedFlow> planned;
  for (const RankFlow& flow : flows) {
    if (flow.bytes <= 0.0)
      continue;
    const MachineRoute route = folding_.route(flow.source, flow.sink, 1.0);
    const double amount =
        flow.bytes / efficiency(flow.source, flow.sink, kind, flow.message_bytes, members);
    const auto same = std::find_if(planned.begin(), planned.end(), [&](const PlannedFlow& other) {
      return other.route.hops == route.hops;
    });
    if (layout_.folded && same != planned.end()) {
      same->route.weight += 1.0;
      same->bytes += flow.bytes;
      same->amount += amount;
    } else {
      planned.push_back({route, flow.bytes, amount});
    }
  }
  return planned;
}

const TrafficPlan& TrafficPlanner::collective(const CollectiveWork& work,
                                              const DeviceGroup& group) {
  // Layers are alike: most collectives of a step were planned before.
  const CollectiveKey key{work.kind, work.group, work.bytes, group.devices.front()};
  const auto known = collectives_.find(key);
  if (known != collectives_.end())
    return known->second;
  return collectives_.emplace(key, plan_collective(work, group)).first->second;
}

TrafficPlan TrafficPlanner::plan_collective(const CollectiveWork& work, const DeviceGroup& group) {
  const RankId first = layout_.devices[index(group.devices.front())].rank;
  const std::vector<RankId> ranks = group_of(plan_, work.group, first);
  std::vector<RankFlow> flows = collective_flows(work, ranks, topology_);
  TrafficPlan plan;
  // All ranks of a folded all-to-all are alike.
  if (layout_.folded && work.kind == Collective::all_to_all)
    std::erase_if(flows, [&](const RankFlow& flow) { return flow.source != first; });
  const Farthest farthest = find_farthest(flows, first);
  // Around a ring of ranks that sit differently, only some send to another node, and all wait for
  // those.
  if (layout_.folded)
    std::erase_if(flows, [&](const RankFlow& flow) { return flow.source != farthest.sender; });
  // The slowest rank's: the most peers inside, and the most outside.
  const Members shape = members(work.group, first);
  const std::int64_t outside = work.kind == Collective::all_to_all
                                   ? static_cast<std::int64_t>(ranks.size()) - shape.inside_least
                                   : shape.outside - 1;
  plan.startup = network_.startup(medium_of(Tier::scale_up), work.kind, shape.inside - 1) +
                 network_.startup(medium_of(Tier::scale_out), work.kind, outside) + farthest.path;
  plan.flows = plan_flows(flows, work.kind, shape);
  if (layout_.folded && work.kind != Collective::all_to_all)
    add_leaf_crossing(work, layout_.devices[index(group.devices.front())], plan.flows);
  return plan;
}

const TrafficPlanner::Crossing& TrafficPlanner::crossing_of(const CollectiveWork& work,
                                                            const Device& device) {
  const auto [place, added] = crossings_.emplace(
      std::tuple(work.group, device.stage, work.kind == Collective::all_reduce), Crossing{});
  Crossing& crossing = place->second;
  if (!added)
    return crossing;
  std::vector<RankFlow> rings;
  for (const std::vector<RankId>& ranks : groups_of_stage(plan_, work.group, device.stage)) {
    if (topology_.node_of(ranks.front()) == topology_.node_of(ranks.back()))
      continue;
    const std::vector<RankFlow> own = collective_flows(work, ranks, topology_);
    crossing.ragged = crossing.ragged || is_ragged(own, ranks.size(), topology_);
    for (const RankFlow& flow : own)
      if (topology_.node_of(flow.source) != topology_.node_of(flow.sink))
        rings.push_back(flow);
  }
  std::map<LinkKind, std::map<LinkId, std::uint32_t>> loads;
  Route route;
  for (const RankFlow& flow : rings) {
    topology_.find_route(flow.source, flow.sink, route);
    for (const LinkId link : route)
      if (crossing.counts(topology_.link(link).kind)) {
        ++loads[topology_.link(link).kind][link];
        crossing.share = flow.bytes / static_cast<double>(work.bytes.value);
        crossing.message_share = flow.message_bytes / static_cast<double>(work.bytes.value);
        crossing.source = flow.source;
        crossing.sink = flow.sink;
      }
  }
  for (const auto& [kind, links] : loads)
    for (const auto& [link, load] : links)
      crossing.loads[kind] = std::max(crossing.loads[kind], load);
  return crossing;
}

void TrafficPlanner::add_leaf_crossing(const CollectiveWork& work, const Device& device,
                                       std::vector<PlannedFlow>& flows) {
  // Tensor-parallel groups that divide a node never leave it.
  if (work.group == GroupKind::tensor && topology_.spec().node.gpus % plan_.tensor == 0)
    return;
  const Crossing& crossing = crossing_of(work, device);
  if (crossing.loads.empty())
    return;
  for (PlannedFlow& flow : flows)
    std::erase_if(flow.route.hops, [&](const MachineRoute::Hop& hop) {
      return crossing.counts(topology_.link(folding_.originals()[hop.link]).kind);
    });
  const auto bytes = static_cast<double>(work.bytes.value);
  PlannedFlow planned{{}, crossing.share * bytes, 0.0};
  planned.amount =
      planned.bytes / efficiency(crossing.source, crossing.sink, work.kind,
                                 crossing.message_share * bytes, members(work.group, device.rank));
  for (const auto& [kind, load] : crossing.loads)
    planned.route.hops.push_back(folding_.hop(device.rank, kind, load));
  flows.push_back(std::move(planned));
}

Seconds time_alone(const TrafficPlan& plan, const LinkFolding& folding) {
  std::map<std::uint32_t, double> amounts;
  for (const PlannedFlow& flow : plan.flows)
    for (const MachineRoute::Hop& hop : flow.route.hops)
      amounts[hop.link] += flow.amount * hop.times;
  Seconds longest;
  for (const auto& [link, amount] : amounts)
    longest = std::max(longest, Seconds{amount / folding.capacity(link).value});
  return plan.startup + longest;
}

TrafficPlan TrafficPlanner::transfer(const TransferWork& work, const DevicePair& pair) {
  const RankId source = layout_.devices[index(pair.source)].rank;
  const RankId sink = layout_.devices[index(pair.sink)].rank;
  const bool inside = topology_.node_of(source) == topology_.node_of(sink);
  const auto bytes = static_cast<double>(work.bytes.value);
  TrafficPlan plan;
  plan.startup = network_.startup(medium_of(inside ? Tier::scale_up : Tier::scale_out),
                                  Collective::point_to_point, 1) +
                 topology_.latency(topology_.route(source, sink));
  plan.flows = plan_flows({{source, sink, bytes, bytes}}, Collective::point_to_point, {2, 1, 2});
  return plan;
}

} // namespace moesim
