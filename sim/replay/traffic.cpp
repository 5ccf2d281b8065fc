#include "sim/replay/traffic.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

bool is_switch_link(LinkKind kind) {
  return kind >= LinkKind::leaf_uplink || kind == LinkKind::scale_up_uplink ||
         kind == LinkKind::scale_up_downlink;
}

bool is_nic_link(LinkKind kind) {
  return kind == LinkKind::nic_egress || kind == LinkKind::nic_ingress;
}

/// True for one ring over domains that hold unlike numbers of its ranks: only some of them send to
/// another domain.
bool is_ragged(const std::vector<RankFlow>& ring, std::size_t ranks, const Topology& topology) {
  const auto inside = std::count_if(ring.begin(), ring.end(), [&](const RankFlow& flow) {
    return topology.domain_of(flow.source) == topology.domain_of(flow.sink);
  });
  return ring.size() == ranks && inside > 0 && inside < static_cast<std::ptrdiff_t>(ranks);
}

} // namespace

// Where all ranks send to another domain, the sharers of a NIC are what loads it.
bool TrafficPlanner::Crossing::counts(LinkKind kind) const {
  return is_switch_link(kind) || (ragged && is_nic_link(kind));
}

double TrafficPlanner::efficiency(const RankFlow& flow, const FlowKind& kind) const {
  const NodeSpec& node = topology_.spec().node;
  const Bytes bytes{std::llround(flow.message_bytes)};
  const bool inside = topology_.domain_of(flow.source) == topology_.domain_of(flow.sink);
  const BytesPerSecond nic =
      node.nic * (static_cast<double>(node.nics) / static_cast<double>(node.gpus));
  const std::string& medium = inside ? node.scale_up_medium : node.nic_medium;
  const Collective collective = inside ? kind.inside : kind.outside;
  const TierUse use = inside ? TierUse{bytes, kind.members_inside, node.scale_up}
                             : TierUse{bytes, kind.members_outside, nic};
  const NetworkEfficiency efficiency = network_.efficiency(medium, collective, use);
  if (efficiency.extrapolated)
    extrapolated_.insert(collective_name(row_of(collective).costs) + " on " + medium);
  return efficiency.share * (inside ? 1.0 : rate_in_training(collective).value);
}

Uncertain TrafficPlanner::rate_in_training(Collective collective) const {
  if (!compute_)
    return {1.0, 0.0};
  return compute_->rate_in_training(collective, topology_.spec().node.nic_medium);
}

TrafficPlanner::FlowKind TrafficPlanner::kind_of(const CollectiveFlows& flows) {
  return {flows.inside_kind(), flows.outside_kind(), flows.members_inside(),
          flows.members_outside()};
}

Seconds TrafficPlanner::startup(const FlowKind& kind, const PeerCount& peers) const {
  const NodeSpec& node = topology_.spec().node;
  Seconds time = network_.startup(node.scale_up_medium, kind.inside, peers.inside);
  if (peers.outside > 0)
    time += network_.startup(node.nic_medium, kind.outside, peers.outside);
  return time;
}

double TrafficPlanner::error(const FlowKind& kind, const PeerCount& peers) const {
  const NodeSpec& node = topology_.spec().node;
  const double outside = network_.error(node.nic_medium, kind.outside, peers.outside);
  return std::max(network_.error(node.scale_up_medium, kind.inside, peers.inside),
                  peers.outside > 0 ? std::hypot(outside, rate_in_training(kind.outside).error)
                                    : outside);
}

TrafficPlanner::Farthest TrafficPlanner::find_farthest(const std::vector<RankFlow>& flows,
                                                       RankId first) const {
  Farthest farthest{first, {}};
  Route route;
  for (const RankFlow& flow : flows) {
    find_route(topology_, flow, route);
    const Seconds path = topology_.latency(route);
    if (path > farthest.path || (path == farthest.path && flow.source == first))
      farthest = {flow.source, path};
  }
  return farthest;
}

double TrafficPlanner::amount_of(const RankFlow& flow, const FlowKind& kind) const {
  return flow.bytes / efficiency(flow, kind);
}

double TrafficPlanner::mean_amount(const std::vector<RankFlow>& flows, const FlowKind& kind) const {
  // Messages of one size have one efficiency, inside a domain and beyond.
  std::map<std::pair<bool, double>, double> efficiencies;
  double total = 0.0;
  for (const RankFlow& flow : flows) {
    const bool inside = topology_.domain_of(flow.source) == topology_.domain_of(flow.sink);
    const auto [known, added] = efficiencies.try_emplace({inside, flow.message_bytes});
    if (added)
      known->second = efficiency(flow, kind);
    total += flow.bytes / known->second;
  }
  return total / static_cast<double>(flows.size());
}

std::vector<PlannedFlow> TrafficPlanner::plan_flows(const std::vector<RankFlow>& flows,
                                                    const FlowKind& kind) {
  std::vector<PlannedFlow> planned;
  Route route;
  const double mean = mean_amount(flows, kind);
  for (const RankFlow& flow : flows) {
    if (flow.bytes <= 0.0)
      continue;
    find_route(topology_, flow, route);
    MachineRoute folded = folding_.route(flow.source, route);
    const double amount = amount_of(flow, kind);
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

const TrafficPlan& TrafficPlanner::collective(const CollectiveWork& work,
                                              const DeviceGroup& group) {
  const DeviceId first = group.devices.front();
  const auto [known, added] = collectives_.try_emplace({work, first});
  if (!added)
    return known->second;
  if (!symmetry_)
    return known->second = plan_alone(work, group);
  const std::size_t classes = layout_.devices.size() / static_cast<std::size_t>(plan_.pipeline);
  const auto [other, first_stage] = stage_plans_.try_emplace({work, index(first) % classes});
  if (!first_stage)
    return known->second = plan_as_in(other->second, work, group);
  const std::size_t asked = folding_.asked().size();
  known->second = plan_alone(work, group);
  const auto begin = folding_.asked().begin() + static_cast<std::ptrdiff_t>(asked);
  other->second = {first, {begin, folding_.asked().end()}};
  return known->second;
}

TrafficPlan TrafficPlanner::plan_as_in(const StagePlan& other, const CollectiveWork& work,
                                       const DeviceGroup& group) {
  const std::int64_t stage = layout_.devices[index(group.devices.front())].stage;
  TrafficPlan plan = collectives_.at({work, other.device});
  // Links get their numbers in the order in which this stage would have asked for them.
  for (const LinkId link : other.links)
    folding_.hop(symmetry_->in_stage(link, stage));
  for (TrafficPhase& phase : plan.phases)
    for (PlannedFlow& flow : phase.flows)
      for (MachineRoute::Hop& hop : flow.route.hops)
        hop = folding_.hop(symmetry_->in_stage(folding_.originals()[hop.link], stage), hop.times);
  return plan;
}

TrafficPlan TrafficPlanner::plan_alone(const CollectiveWork& work, const DeviceGroup& group) {
  TrafficPlan plan = plan_fastest(work, group);
  plan.phases.front().startup += work.wait_for_ranks;
  const Device& device = layout_.devices[index(group.devices.front())];
  if (work.host_posted_tokens)
    add_host_posts(work, device.rank, plan);
  if (work.beside_compute)
    slow_beside_computes(work, device, plan);
  return plan;
}

TrafficPlan TrafficPlanner::plan_fastest(const CollectiveWork& work, const DeviceGroup& group) {
  TrafficPlan fastest = plan_collective(work, group);
  if (work.kind != Collective::all_reduce || !work.any_algorithm)
    return fastest;
  std::vector<Collective> others;
  if (topology_.has_fabric() &&
      network_.measured(topology_.spec().node.nic_medium, Collective::all_reduce_tree))
    others.push_back(Collective::all_reduce_tree);
  if (topology_.spec().node.in_switch_reduction)
    others.push_back(Collective::all_reduce_in_switch);
  for (const Collective kind : others) {
    CollectiveWork other = work;
    other.kind = kind;
    TrafficPlan plan = plan_collective(other, group);
    if (time_alone(plan, folding_) < time_alone(fastest, folding_))
      fastest = std::move(plan);
  }
  return fastest;
}

TrafficPlan TrafficPlanner::plan_collective(const CollectiveWork& work, const DeviceGroup& group) {
  if (model_ == LoadModel::stage_links && work.loads && !is_ring(work.kind))
    if (std::vector<StageRoutes>& routes = routes_of_stage(work, group); !routes.empty())
      return plan_by_routes(work, routes);
  const Device& device = layout_.devices[index(group.devices.front())];
  const CollectiveFlows flows(work, group_of(plan_, work.group, device.rank), topology_);
  const bool by_links = model_ == LoadModel::stage_links || model_ == LoadModel::group_links;
  TrafficPlan plan{work.kind, {}, 0.0};
  for (std::size_t phase = 0; phase < flows.phases(); ++phase) {
    plan.phases.push_back(by_links ? plan_link_loads(flows, phase, work, device)
                                   : plan_phase(flows, phase, work, device));
    plan.error = std::max(plan.error, error(kind_of(flows), flows.peers(phase, 0)));
  }
  return plan;
}

TrafficPhase TrafficPlanner::plan_phase(const CollectiveFlows& group_flows, std::size_t phase,
                                        const CollectiveWork& work, const Device& device) {
  const std::vector<RankId>& ranks = group_flows.ranks();
  const RankId first = device.rank;
  const bool ring = is_ring(work.kind);
  const FlowKind kind = kind_of(group_flows);
  const auto place =
      static_cast<std::size_t>(std::find(ranks.begin(), ranks.end(), first) - ranks.begin());
  std::vector<RankFlow> flows;
  const bool all_alike = model_ == LoadModel::representative;
  // All ranks of a folded all-to-all are alike.
  if (all_alike && !ring)
    group_flows.append(phase, place, flows);
  else
    flows = group_flows.all(phase);
  const Farthest farthest = find_farthest(flows, first);
  // Around a ring of ranks that sit differently, only some send to another domain, and all wait
  // for those.
  if (all_alike)
    std::erase_if(flows, [&](const RankFlow& flow) { return flow.source != farthest.sender; });
  // The rank with the longest start-up starts last.
  Seconds latest = startup(kind, group_flows.peers(phase, place));
  for (std::size_t other = 0; !all_alike && other < ranks.size(); ++other)
    latest = std::max(latest, startup(kind, group_flows.peers(phase, other)));
  TrafficPhase planned;
  planned.startup = latest + farthest.path;
  planned.flows = all_alike
                      ? plan_flows(flows, kind)
                      : plan_classes(flows, classes_of(group_flows, phase, work, device), kind);
  if (all_alike && ring)
    add_switch_crossing(work, device, kind, mean_amount(flows, kind), planned.flows);
  return planned;
}

const TrafficPlanner::Crossing& TrafficPlanner::crossing_of(const CollectiveWork& work,
                                                            const Device& device) {
  const auto [place, added] =
      crossings_.emplace(std::tuple(work.group, device.stage, work.kind), Crossing{});
  Crossing& crossing = place->second;
  if (!added)
    return crossing;
  std::vector<RankFlow> rings;
  for (std::vector<RankId>& ranks : groups_of_stage(plan_, work.group, device.stage)) {
    const std::size_t senders = members_in_first_block(symmetry_, ranks);
    if (senders == 0 || (topology_.domain_of(ranks.front()) == topology_.domain_of(ranks.back()) &&
                         topology_.domain_gpus() == topology_.spec().node.scale_up_switch_gpus))
      continue;
    const CollectiveFlows flows(work, std::move(ranks), topology_);
    const std::vector<RankFlow> own = flows.sent_by_first(senders, 0);
    crossing.ragged = crossing.ragged || is_ragged(own, senders, topology_);
    for (const RankFlow& flow : own)
      if (flow.source != flow.sink)
        rings.push_back(flow);
  }
  std::map<LinkKind, std::map<LinkId, std::uint32_t>> loads;
  Route route;
  for (const RankFlow& flow : rings) {
    topology_.find_route(flow.source, flow.sink, route);
    for (const RouteHop& hop : route)
      if (crossing.counts(topology_.link(hop.link).kind)) {
        ++loads[topology_.link(hop.link).kind]
               [symmetry_ ? symmetry_->in_first_block(hop.link) : hop.link];
        crossing.flow = flow;
        crossing.of_bytes = static_cast<double>(work.bytes.value);
      }
  }
  for (const auto& [kind, links] : loads)
    for (const auto& [link, load] : links)
      crossing.loads[kind] = std::max(crossing.loads[kind], load);
  return crossing;
}

void TrafficPlanner::add_switch_crossing(const CollectiveWork& work, const Device& device,
                                         const FlowKind& kind, double mean_amount,
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
  RankFlow flow = crossing.flow;
  const double scale = static_cast<double>(work.bytes.value) / crossing.of_bytes;
  flow.bytes *= scale;
  flow.message_bytes *= scale;
  PlannedFlow planned{{}, flow.bytes, amount_of(flow, kind)};
  planned.route.weight = planned.amount / mean_amount;
  for (const auto& [link_kind, load] : crossing.loads)
    planned.route.hops.push_back(folding_.hop(device.rank, link_kind, load));
  flows.push_back(std::move(planned));
}

Seconds time_alone(const TrafficPhase& phase, const LinkFolding& folding) {
  std::map<std::uint32_t, double> amounts;
  Seconds longest;
  for (const PlannedFlow& flow : phase.flows) {
    for (const MachineRoute::Hop& hop : flow.route.hops)
      amounts[hop.link] += flow.amount * hop.times;
    longest = std::max(longest, Seconds{flow.amount / flow.route.most.value});
  }
  for (const auto& [link, amount] : amounts)
    longest = std::max(longest, Seconds{amount / folding.capacity(link).value});
  return phase.startup + longest;
}

Seconds time_alone(const TrafficPlan& plan, const LinkFolding& folding) {
  Seconds total;
  for (const TrafficPhase& phase : plan.phases)
    total += time_alone(phase, folding);
  return total;
}

TrafficPlan TrafficPlanner::transfer(const TransferWork& work, const DevicePair& pair) {
  const RankId source = layout_.devices[index(pair.source)].rank;
  const RankId sink = layout_.devices[index(pair.sink)].rank;
  const bool inside = topology_.domain_of(source) == topology_.domain_of(sink);
  const auto bytes = static_cast<double>(work.bytes.value);
  TrafficPhase phase;
  const FlowKind kind{Collective::point_to_point, Collective::point_to_point, 2, 2};
  phase.startup = startup(kind, {inside ? 1 : 0, inside ? 0 : 1}) +
                  topology_.latency(topology_.route(source, sink));
  const Device& from = layout_.devices[index(pair.source)];
  const Device& to = layout_.devices[index(pair.sink)];
  phase.flows = model_ == LoadModel::stage_links ? plan_stage_transfer(from, to, bytes, kind)
                : model_ == LoadModel::representative
                    ? plan_flows({{source, sink, bytes, bytes}}, kind)
                    : plan_class_transfer(from, to, bytes, kind);
  return {Collective::point_to_point, {std::move(phase)}};
}

} // namespace moesim
