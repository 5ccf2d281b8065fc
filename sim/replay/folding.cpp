#include "sim/replay/folding.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

namespace {

constexpr std::int64_t unfolded_ranks_max = 64;

/// For each link that ranks share, how many ranks of each stage do: by LinkId, stages in order.
using LinkSharers = std::vector<std::vector<std::pair<std::int64_t, std::uint32_t>>>;

/// Counts the ranks behind each NIC and each leaf.
LinkSharers count_sharers(const ParallelPlan& plan, const Topology& topology) {
  LinkSharers sharers(topology.links());
  for (std::uint32_t rank = 0; rank < plan.gpus; ++rank) {
    const std::int64_t stage = plan.stage_of(RankId(rank));
    for (const LinkId link : topology.shared_links(RankId(rank))) {
      auto& stages = sharers[index(link)];
      if (stages.empty() || stages.back().first != stage)
        stages.emplace_back(stage, 0U);
      ++stages.back().second;
    }
  }
  return sharers;
}

/// How many other ranks of a rank's group share its node, and how many have their NICs on its leaf.
struct Peers {
  std::int64_t on_node = 0;
  std::int64_t on_leaf = 0;
};

/// By rank. Group by group, as a group may be as large as the job.
std::vector<Peers> count_peers(const ParallelPlan& plan, GroupKind kind, const Topology& topology,
                               const std::vector<LinkId>& leaf_of) {
  std::vector<Peers> peers(static_cast<std::size_t>(plan.gpus));
  std::vector<std::int64_t> nodes;
  std::vector<LinkId> leaves;
  const auto alike = [](const auto& sorted, const auto& value) {
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), value);
    return static_cast<std::int64_t>(last - first) - 1;
  };
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage)
    for (const std::vector<RankId>& group : groups_of_stage(plan, kind, stage)) {
      nodes.clear();
      leaves.clear();
      for (const RankId rank : group) {
        nodes.push_back(topology.node_of(rank));
        if (topology.has_fabric())
          leaves.push_back(leaf_of[index(rank)]);
      }
      std::sort(leaves.begin(), leaves.end());
      for (const RankId rank : group) {
        Peers& own = peers[index(rank)];
        own.on_node = alike(nodes, topology.node_of(rank));
        if (topology.has_fabric())
          own.on_leaf = alike(leaves, leaf_of[index(rank)]);
      }
    }
  return peers;
}

/// What decides how a rank's traffic loads the cluster. Ranks with equal profiles sit alike.
using Profile = std::vector<std::int64_t>;

void find_profile(RankId rank, const ParallelPlan& plan, const Topology& topology,
                  const LinkSharers& sharers, const std::vector<std::vector<Peers>>& peers,
                  Profile& profile) {
  profile.clear();
  Route route;
  for (const LinkId link : topology.shared_links(rank)) {
    profile.push_back(-1); // separates links
    for (const auto& [stage, ranks] : sharers[index(link)]) {
      profile.push_back(stage);
      profile.push_back(ranks);
    }
  }
  for (const std::vector<Peers>& of_kind : peers) {
    profile.push_back(of_kind[index(rank)].on_node);
    profile.push_back(of_kind[index(rank)].on_leaf);
  }
  const std::int64_t step = plan.stage_ranks();
  const auto position = static_cast<std::int64_t>(index(rank));
  for (const std::int64_t other : {position - step, position + step}) {
    profile.push_back(-1);
    if (other < 0 || other >= plan.gpus)
      continue;
    topology.find_route(rank, RankId(static_cast<std::uint32_t>(other)), route);
    for (const LinkId link : route)
      profile.push_back(static_cast<std::int64_t>(topology.link(link).kind));
  }
}

/// True if stages and groups fill blocks of `unit` ranks evenly: then a shift by a block maps
/// ranks, groups and links onto each other.
bool fills_evenly(const ParallelPlan& plan, std::int64_t unit) {
  const auto fits = [unit](std::int64_t degree) {
    return unit % degree == 0 || degree % unit == 0;
  };
  return plan.stage_ranks() % unit == 0 && fits(plan.tensor) && fits(plan.expert);
}

/// Enough for all ranks of a stage to sit alike, and quick to tell: whole nodes, and whole leaves
/// or one leaf for all.
bool sit_alike_by_arithmetic(const ParallelPlan& plan, const Topology& topology) {
  const std::int64_t node = topology.spec().node.gpus;
  const std::int64_t leaf = node * std::max<std::int64_t>(1, topology.spec().fabric.nodes_per_leaf);
  return fills_evenly(plan, node) && (plan.gpus <= leaf || fills_evenly(plan, leaf));
}

} // namespace

FoldedLayout fold_ranks(const ParallelPlan& plan, const Topology& topology) {
  if (sit_alike_by_arithmetic(plan, topology))
    return {one_rank_per_stage(plan), false};
  const LinkSharers sharers = count_sharers(plan, topology);
  std::vector<LinkId> leaf_of;
  for (std::uint32_t rank = 0; topology.has_fabric() && rank < plan.gpus; ++rank)
    leaf_of.push_back(topology.own_link(RankId(rank), LinkKind::leaf_uplink));
  std::vector<std::vector<Peers>> peers;
  for (const GroupKind kind :
       {GroupKind::expert, GroupKind::tensor, GroupKind::data, GroupKind::expert_data})
    peers.push_back(count_peers(plan, kind, topology, leaf_of));
  const std::vector<Peers>& expert_peers = peers.front();
  FoldedLayout folded{one_rank_per_stage(plan), false};
  bool alike = true;
  Profile first;
  Profile other;
  for (Device& device : folded.layout.devices) {
    find_profile(device.rank, plan, topology, sharers, peers, first);
    std::int64_t fewest = expert_peers[index(device.rank)].on_node;
    const auto start = static_cast<std::uint32_t>(device.stage * plan.stage_ranks());
    for (std::uint32_t rank = start; rank < start + plan.stage_ranks(); ++rank) {
      if (alike) {
        find_profile(RankId(rank), plan, topology, sharers, peers, other);
        alike = other == first;
      }
      if (expert_peers[rank].on_node < fewest) {
        fewest = expert_peers[rank].on_node;
        device.rank = RankId(rank);
      }
    }
  }
  if (!alike && plan.gpus <= unfolded_ranks_max)
    return {every_rank(plan), false};
  folded.approximate = !alike;
  return folded;
}

LinkFolding::LinkFolding(const DeviceLayout& layout, const ParallelPlan& plan,
                         const Topology& topology)
    : layout_(layout), plan_(plan), topology_(topology) {}

std::uint32_t LinkFolding::times(LinkId link, std::int64_t stage) {
  const auto [place, added] = times_.emplace(std::pair(link, stage), 0U);
  if (!added)
    return place->second;
  const LinkKind kind = topology_.link(link).kind;
  const auto first = static_cast<std::uint32_t>(stage * plan_.stage_ranks());
  for (std::uint32_t rank = first; rank < first + plan_.stage_ranks(); ++rank)
    place->second += topology_.own_link(RankId(rank), kind) == link ? 1 : 0;
  return place->second;
}

MachineRoute::Hop LinkFolding::number(LinkId original, std::uint32_t times) {
  const auto next = static_cast<std::uint32_t>(originals_.size());
  const auto [place, added] = index_.emplace(original, next);
  if (added)
    originals_.push_back(original);
  return {place->second, times};
}

MachineRoute::Hop LinkFolding::hop(RankId owner, LinkKind kind, std::uint32_t times) {
  const std::int64_t stage = plan_.stage_of(owner);
  const RankId rank =
      layout_.folded ? layout_.devices[static_cast<std::size_t>(stage)].rank : owner;
  return number(topology_.own_link(rank, kind), times);
}

std::vector<MachineLink> LinkFolding::links() const {
  std::vector<MachineLink> links;
  for (const LinkId original : originals_)
    links.push_back({topology_.link(original).name, topology_.link(original).capacity});
  return links;
}

MachineRoute LinkFolding::route(RankId source, RankId sink, double weight) {
  MachineRoute route;
  route.weight = weight;
  // The owner of a link is the rank whose own link it is: the sender's, then that of the GPU which
  // forwards for it, then the receiver's.
  RankId owner = source;
  for (const LinkId link : topology_.route(source, sink)) {
    switch (topology_.link(link).kind) {
    case LinkKind::scale_up_ingress:
      owner = topology_.owner(link);
      break;
    case LinkKind::leaf_downlink:
    case LinkKind::nic_ingress:
    case LinkKind::pcie_ingress:
      owner = sink;
      break;
    default:
      break;
    }
    const LinkKind kind = topology_.link(link).kind;
    const MachineRoute::Hop own = hop(owner, kind, 1);
    route.hops.push_back(layout_.folded ? number(originals_[own.link],
                                                 times(originals_[own.link], plan_.stage_of(owner)))
                                        : number(link, 1));
  }
  return route;
}

} // namespace moesim
