#include "sim/replay/folding.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

namespace {

constexpr std::int64_t unfolded_ranks_max = 64;

using Sharers = std::map<LinkId, std::map<std::int64_t, std::uint32_t>>;

/// How many ranks of each stage share each NIC and each leaf.
Sharers count_sharers(const ParallelPlan& plan, const Topology& topology) {
  Sharers sharers;
  for (std::uint32_t rank = 0; rank < plan.gpus; ++rank)
    for (const LinkId link : topology.shared_links(RankId(rank)))
      ++sharers[link][plan.stage_of(RankId(rank))];
  return sharers;
}

/// How many other ranks of a rank's group share its node, and how many have their NICs on its leaf.
struct Peers {
  std::int64_t on_node = 0;
  std::int64_t on_leaf = 0;
};

/// By rank. Group by group, as a group may be as large as the job.
std::vector<Peers> count_peers(const ParallelPlan& plan, GroupKind kind, const Topology& topology) {
  std::vector<Peers> peers(static_cast<std::size_t>(plan.gpus));
  std::vector<bool> counted(peers.size(), false);
  for (std::uint32_t first = 0; first < plan.gpus; ++first) {
    if (counted[first])
      continue;
    const std::vector<RankId> group = group_of(plan, kind, RankId(first));
    std::map<std::int64_t, std::int64_t> on_node;
    std::map<LinkId, std::int64_t> on_leaf;
    for (const RankId rank : group) {
      ++on_node[topology.node_of(rank)];
      if (topology.has_fabric())
        ++on_leaf[topology.own_link(rank, LinkKind::leaf_uplink)];
    }
    for (const RankId rank : group) {
      counted[index(rank)] = true;
      peers[index(rank)].on_node = on_node.at(topology.node_of(rank)) - 1;
      if (topology.has_fabric())
        peers[index(rank)].on_leaf = on_leaf.at(topology.own_link(rank, LinkKind::leaf_uplink)) - 1;
    }
  }
  return peers;
}

/// What decides how a rank's traffic loads the cluster. Ranks with equal profiles sit alike.
using Profile = std::vector<std::int64_t>;

Profile profile_of(RankId rank, const ParallelPlan& plan, const Topology& topology,
                   const Sharers& sharers, const std::vector<std::vector<Peers>>& peers) {
  Profile profile;
  for (const LinkId link : topology.shared_links(rank)) {
    profile.push_back(-1); // separates links
    for (const auto& [stage, ranks] : sharers.at(link)) {
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
    if (other >= 0 && other < plan.gpus)
      for (const LinkId link : topology.route(rank, RankId(static_cast<std::uint32_t>(other))))
        profile.push_back(static_cast<std::int64_t>(topology.link(link).kind));
  }
  return profile;
}

} // namespace

FoldedLayout fold_ranks(const ParallelPlan& plan, const Topology& topology) {
  const Sharers sharers = count_sharers(plan, topology);
  std::vector<std::vector<Peers>> peers;
  for (const GroupKind kind :
       {GroupKind::expert, GroupKind::tensor, GroupKind::data, GroupKind::expert_data})
    peers.push_back(count_peers(plan, kind, topology));
  const std::vector<Peers>& expert_peers = peers.front();
  FoldedLayout folded{one_rank_per_stage(plan), false};
  bool alike = true;
  for (Device& device : folded.layout.devices) {
    const Profile first = profile_of(device.rank, plan, topology, sharers, peers);
    std::int64_t fewest = expert_peers[index(device.rank)].on_node;
    const auto start = static_cast<std::uint32_t>(device.stage * plan.stage_ranks());
    for (std::uint32_t rank = start; rank < start + plan.stage_ranks(); ++rank) {
      alike = alike && profile_of(RankId(rank), plan, topology, sharers, peers) == first;
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
    : layout_(layout), plan_(plan), topology_(topology) {
  if (layout.folded)
    sharers_ = count_sharers(plan, topology);
}

std::uint32_t LinkFolding::times(LinkId link, std::int64_t stage) const {
  const auto found = sharers_.find(link);
  return found == sharers_.end() ? 1 : found->second.at(stage);
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
