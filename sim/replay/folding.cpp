#include "sim/replay/folding.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/rank_flows.hpp"

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

/// How many other ranks of `group` have their NICs on the same leaf.
std::int64_t peers_on_leaf(const std::vector<RankId>& group, RankId rank,
                           const Topology& topology) {
  if (!topology.has_fabric())
    return 0;
  const LinkId leaf = topology.own_link(rank, LinkKind::leaf_uplink);
  return std::count_if(group.begin(), group.end(), [&](RankId other) {
    return other != rank && topology.own_link(other, LinkKind::leaf_uplink) == leaf;
  });
}

/// What decides how a rank's traffic loads the cluster. Ranks with equal profiles sit alike.
using Profile = std::vector<std::int64_t>;

Profile profile_of(RankId rank, const ParallelPlan& plan, const Topology& topology,
                   const Sharers& sharers) {
  Profile profile;
  for (const LinkId link : topology.shared_links(rank)) {
    profile.push_back(-1); // separates links
    for (const auto& [stage, ranks] : sharers.at(link)) {
      profile.push_back(stage);
      profile.push_back(ranks);
    }
  }
  for (const GroupKind kind :
       {GroupKind::expert, GroupKind::tensor, GroupKind::data, GroupKind::expert_data}) {
    const std::vector<RankId> group = group_of(plan, kind, rank);
    profile.push_back(peers_on_node(group, rank, topology));
    profile.push_back(peers_on_leaf(group, rank, topology));
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
  FoldedLayout folded{one_rank_per_stage(plan), false};
  bool alike = true;
  for (Device& device : folded.layout.devices) {
    const Profile first = profile_of(device.rank, plan, topology, sharers);
    std::int64_t fewest =
        peers_on_node(group_of(plan, GroupKind::expert, device.rank), device.rank, topology);
    const auto start = static_cast<std::uint32_t>(device.stage * plan.stage_ranks());
    for (std::uint32_t rank = start; rank < start + plan.stage_ranks(); ++rank) {
      alike = alike && profile_of(RankId(rank), plan, topology, sharers) == first;
      const std::int64_t peers =
          peers_on_node(group_of(plan, GroupKind::expert, RankId(rank)), RankId(rank), topology);
      if (peers < fewest) {
        fewest = peers;
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
