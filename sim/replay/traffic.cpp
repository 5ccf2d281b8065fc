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

double TrafficPlanner::efficiency(RankId source, RankId sink, Collective kind,
                                  double message_bytes) const {
  const bool inside = topology_.node_of(source) == topology_.node_of(sink);
  return network_.efficiency(inside ? Tier::scale_up : Tier::scale_out, kind,
                             Bytes{std::llround(message_bytes)});
}

RankId TrafficPlanner::farthest_sender(const std::vector<RankFlow>& flows, RankId first) const {
  RankId farthest = first;
  Seconds longest;
  for (const RankFlow& flow : flows) {
    const Seconds path = topology_.latency(topology_.route(flow.source, flow.sink));
    if (path > longest || (path == longest && flow.source == first)) {
      longest = path;
      farthest = flow.source;
    }
  }
  return farthest;
}

std::vector<PlannedFlow> TrafficPlanner::plan_flows(const std::vector<RankFlow>& flows,
                                                    Collective kind) {
  std::vector<PlannedFlow> planned;
  for (const RankFlow& flow : flows) {
    if (flow.bytes <= 0.0)
      continue;
    const MachineRoute route = folding_.route(flow.source, flow.sink, 1.0);
    const double amount = flow.bytes / efficiency(flow.source, flow.sink, kind, flow.message_bytes);
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

TrafficPlan TrafficPlanner::collective(const CollectiveWork& work, const DeviceGroup& group) {
  const RankId first = layout_.devices[index(group.devices.front())].rank;
  const std::vector<RankId> ranks = group_of(plan_, work.group, first);
  std::vector<RankFlow> flows = collective_flows(work, ranks, topology_);
  TrafficPlan plan;
  Seconds path;
  for (const RankFlow& flow : flows)
    path = std::max(path, topology_.latency(topology_.route(flow.source, flow.sink)));
  // A device that stands for the whole group sends what its rank sends. Around a ring of ranks that
  // sit differently, only some send to another node, and all wait for those.
  if (layout_.folded) {
    const RankId sender =
        work.kind == Collective::all_to_all ? first : farthest_sender(flows, first);
    std::erase_if(flows, [&](const RankFlow& flow) { return flow.source != sender; });
  }
  // The rank with the most peers outside its node starts last.
  std::int64_t inside = peers_on_node(ranks, first, topology_);
  if (!layout_.folded)
    for (const RankId rank : ranks)
      inside = std::min(inside, peers_on_node(ranks, rank, topology_));
  const auto peers = static_cast<std::int64_t>(ranks.size()) - 1;
  plan.startup = network_.startup(work.kind, inside, peers - inside) + path;
  plan.flows = plan_flows(flows, work.kind);
  if (layout_.folded && work.kind != Collective::all_to_all)
    add_leaf_crossing(work, layout_.devices[index(group.devices.front())], plan.flows);
  return plan;
}

void TrafficPlanner::add_leaf_crossing(const CollectiveWork& work, const Device& device,
                                       std::vector<PlannedFlow>& flows) {
  std::map<LinkKind, std::map<LinkId, std::uint32_t>> crossings;
  const RankFlow* crossing = nullptr;
  std::vector<RankFlow> rings;
  bool ragged = false;
  const auto first = static_cast<std::uint32_t>(device.stage * plan_.stage_ranks());
  for (std::uint32_t rank = first; rank < first + plan_.stage_ranks(); ++rank) {
    const std::vector<RankId> ranks = group_of(plan_, work.group, RankId(rank));
    if (ranks.front() != RankId(rank) ||
        topology_.node_of(ranks.front()) == topology_.node_of(ranks.back()))
      continue;
    const std::vector<RankFlow> own = collective_flows(work, ranks, topology_);
    ragged = ragged || is_ragged(own, ranks.size(), topology_);
    rings.insert(rings.end(), own.begin(), own.end());
  }
  // Where all ranks send to another node, the sharers of a NIC are what loads it.
  const auto is_counted = [ragged](LinkKind kind) {
    return is_leaf_link(kind) || (ragged && is_nic_link(kind));
  };
  for (const RankFlow& flow : rings)
    for (const LinkId link : topology_.route(flow.source, flow.sink)) {
      const LinkKind kind = topology_.link(link).kind;
      if (!is_counted(kind))
        continue;
      ++crossings[kind][link];
      crossing = &flow;
    }
  if (!crossing)
    return;
  for (PlannedFlow& flow : flows)
    std::erase_if(flow.route.hops, [&](const MachineRoute::Hop& hop) {
      return is_counted(topology_.link(folding_.originals()[hop.link]).kind);
    });
  PlannedFlow planned{{}, crossing->bytes, 0.0};
  planned.amount = crossing->bytes /
                   efficiency(crossing->source, crossing->sink, work.kind, crossing->message_bytes);
  for (const auto& [kind, loads] : crossings) {
    std::uint32_t most = 0;
    for (const auto& [link, load] : loads)
      most = std::max(most, load);
    planned.route.hops.push_back(folding_.hop(device.rank, kind, most));
  }
  flows.push_back(std::move(planned));
}

Seconds time_alone(const TrafficPlan& plan, const std::vector<MachineLink>& links) {
  std::map<std::uint32_t, double> amounts;
  for (const PlannedFlow& flow : plan.flows)
    for (const MachineRoute::Hop& hop : flow.route.hops)
      amounts[hop.link] += flow.amount * hop.times;
  Seconds longest;
  for (const auto& [link, amount] : amounts)
    longest = std::max(longest, Seconds{amount / links[link].capacity.value});
  return plan.startup + longest;
}

TrafficPlan TrafficPlanner::transfer(const TransferWork& work, const DevicePair& pair) {
  const RankId source = layout_.devices[index(pair.source)].rank;
  const RankId sink = layout_.devices[index(pair.sink)].rank;
  const bool inside = topology_.node_of(source) == topology_.node_of(sink);
  const auto bytes = static_cast<double>(work.bytes.value);
  TrafficPlan plan;
  plan.startup = network_.startup(Collective::point_to_point, inside ? 1 : 0, inside ? 0 : 1) +
                 topology_.latency(topology_.route(source, sink));
  plan.flows = plan_flows({{source, sink, bytes, bytes}}, Collective::point_to_point);
  return plan;
}

} // namespace moesim
