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
  for (const GroupKind kind : {GroupKind::expert, GroupKind::tensor})
    profile.push_back(peers_on_node(group_of(plan, kind, rank), rank, topology));
  const std::int64_t step = plan.stage_ranks();
  const auto position = static_cast<std::int64_t>(index(rank));
  for (const std::int64_t other : {position - step, position + step})
    if (other >= 0 && other < plan.gpus)
      profile.push_back(topology.node_of(RankId(static_cast<std::uint32_t>(other))) ==
                        topology.node_of(rank));
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

MachineRoute::Hop LinkFolding::hop(LinkId link, RankId owner) {
  LinkId original = link;
  std::uint32_t loads = 1;
  std::uint32_t common = 1;
  if (layout_.folded) {
    const std::int64_t stage = plan_.stage_of(owner);
    const RankId representative = layout_.devices[static_cast<std::size_t>(stage)].rank;
    original = topology_.own_link(representative, topology_.link(link).kind);
    loads = times(original, stage);
    common = loads;
    if (const auto found = sharers_.find(original); found != sharers_.end())
      for (const auto& [other, ranks] : found->second)
        common = std::gcd(common, ranks);
  }
  const auto [place, added] = index_.emplace(original, static_cast<std::uint32_t>(links_.size()));
  if (added) {
    const Link& real = topology_.link(original);
    links_.push_back({real.name, real.capacity / static_cast<double>(common)});
    originals_.push_back(original);
  }
  return {place->second, loads / common};
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
    route.hops.push_back(hop(link, owner));
  }
  return route;
}

} // namespace moesim
