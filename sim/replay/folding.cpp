#include "sim/replay/folding.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/rank_classes.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

namespace {

/// Number of ranks that share a link, for each stage in order, by LinkId.
using LinkSharers = std::vector<std::vector<std::pair<std::int64_t, std::uint32_t>>>;

/// Counts the ranks behind each NIC, each leaf and each pod.
LinkSharers count_sharers(const ParallelPlan& plan, const Topology& topology) {
  LinkSharers sharers(topology.links());
  for (std::uint32_t rank = 0; rank < plan.gpus; ++rank) {
    const std::int64_t stage = plan.stage_of(RankId(rank));
    for (const LinkKind kind : topology.shared_kinds()) {
      auto& stages = sharers[index(topology.own_link(RankId(rank), kind))];
      if (stages.empty() || stages.back().first != stage)
        stages.emplace_back(stage, 0U);
      ++stages.back().second;
    }
  }
  return sharers;
}

/// The units that hold a rank, from near to far: its node, its domain, and the switches above. By
/// rank, then by level.
std::vector<std::vector<std::int64_t>> find_units(const ParallelPlan& plan,
                                                  const Topology& topology) {
  std::vector<std::vector<std::int64_t>> units;
  for (std::uint32_t rank = 0; rank < plan.gpus; ++rank) {
    units.push_back({topology.node_of(RankId(rank)), topology.domain_of(RankId(rank))});
    for (const LinkKind kind : topology.shared_kinds())
      if (is_switch_uplink(kind))
        units.back().push_back(
            static_cast<std::int64_t>(index(topology.own_link(RankId(rank), kind))));
  }
  return units;
}

/// Number of other ranks of a rank's group in each of the units that hold the rank. Counts group by
/// group, as a group may be as large as the job.
std::vector<std::vector<std::int64_t>>
count_peers(const ParallelPlan& plan, GroupKind kind,
            const std::vector<std::vector<std::int64_t>>& units) {
  std::vector<std::vector<std::int64_t>> peers(units.size());
  std::vector<std::int64_t> sorted;
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage)
    for (const std::vector<RankId>& group : groups_of_stage(plan, kind, stage))
      for (std::size_t level = 0; level < units.front().size(); ++level) {
        sorted.clear();
        for (const RankId rank : group)
          sorted.push_back(units[index(rank)][level]);
        std::sort(sorted.begin(), sorted.end());
        for (const RankId rank : group) {
          const auto [first, last] =
              std::equal_range(sorted.begin(), sorted.end(), units[index(rank)][level]);
          peers[index(rank)].push_back(static_cast<std::int64_t>(last - first) - 1);
        }
      }
  return peers;
}

/// The properties of a rank's position that decide how its traffic loads the cluster. Ranks with
/// equal profiles have equivalent positions.
using Profile = std::vector<std::int64_t>;

void find_profile(RankId rank, const ParallelPlan& plan, const Topology& topology,
                  const LinkSharers& sharers,
                  const std::vector<std::vector<std::vector<std::int64_t>>>& peers,
                  Profile& profile) {
  profile.clear();
  Route route;
  for (const LinkKind kind : topology.shared_kinds()) {
    profile.push_back(-1); // separates links
    for (const auto& [stage, ranks] : sharers[index(topology.own_link(rank, kind))]) {
      profile.push_back(stage);
      profile.push_back(ranks);
    }
  }
  for (const auto& of_kind : peers)
    profile.insert(profile.end(), of_kind[index(rank)].begin(), of_kind[index(rank)].end());
  const std::int64_t step = plan.stage_ranks();
  const auto position = static_cast<std::int64_t>(index(rank));
  std::vector<std::int64_t> others = {position - step, position + step};
  if (plan.holders() > 1) // exchanges gradients with the other holder
    others.push_back(position + (plan.pipeline - 1 - 2 * plan.stage_of(rank)) * step);
  for (const std::int64_t other : others) {
    profile.push_back(-1);
    if (other < 0 || other >= plan.gpus)
      continue;
    topology.find_route(rank, RankId(static_cast<std::uint32_t>(other)), route);
    for (const RouteHop& hop : route)
      profile.push_back(static_cast<std::int64_t>(topology.link(hop.link).kind));
  }
}

/// True if stages and groups fill blocks of `unit` ranks evenly: then a shift by a block maps
/// ranks, groups and links onto each other.
bool fills_evenly(const ParallelPlan& plan, std::int64_t unit) {
  const auto fits = [unit](std::int64_t degree) {
    return unit % degree == 0 || degree % unit == 0;
  };
  return plan.stage_ranks() % unit == 0 && fits(plan.tensor) && fits(plan.tensor * plan.context) &&
         fits(plan.expert_tensor) && fits(plan.expert_tensor * plan.expert);
}

/// A sufficient and fast test that all ranks of a stage have equivalent positions. Stages and
/// groups must fill whole nodes. They must also fill whole leaves, or leaves must hold whole
/// stages, or there is one leaf; and so on upwards.
bool sit_alike_by_arithmetic(const ParallelPlan& plan, const Topology& topology) {
  const NodeSpec& node = topology.spec().node;
  const FabricSpec& fabric = topology.spec().fabric;
  const auto fills = [&](std::int64_t unit) {
    return plan.gpus <= unit || unit % plan.stage_ranks() == 0 || fills_evenly(plan, unit);
  };
  return fills_evenly(plan, node.gpus) && fills(node.scale_up_switch_gpus) &&
         fills(node.scale_up_gpus) && fills(topology.spec().leaf_gpus()) &&
         (fabric.tiers < 3 || fills(topology.spec().pod_gpus()));
}

/// True if the profiles of all ranks of each stage are equal.
bool sit_alike_by_profile(const ParallelPlan& plan, const Topology& topology) {
  const LinkSharers sharers = count_sharers(plan, topology);
  const auto units = find_units(plan, topology);
  std::vector<std::vector<std::vector<std::int64_t>>> peers;
  for (const GroupKind kind : enumerators<GroupKind>)
    peers.push_back(count_peers(plan, kind, units));
  Profile first;
  Profile other;
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    const auto start = static_cast<std::uint32_t>(stage * plan.stage_ranks());
    find_profile(RankId(start), plan, topology, sharers, peers, first);
    for (std::uint32_t rank = start + 1; rank < start + plan.stage_ranks(); ++rank) {
      find_profile(RankId(rank), plan, topology, sharers, peers, other);
      if (other != first)
        return false;
    }
  }
  return true;
}

/// One device for each stage: the rank that computes slowest.
DeviceLayout slowest_rank_per_stage(const ParallelPlan& plan, const Topology& topology) {
  DeviceLayout layout = one_rank_per_stage(plan);
  for (Device& device : layout.devices) {
    const auto start = static_cast<std::uint32_t>(device.stage * plan.stage_ranks());
    for (std::uint32_t rank = start; rank < start + plan.stage_ranks(); ++rank)
      if (topology.gpu(RankId(rank)).speed_share < topology.gpu(device.rank).speed_share)
        device.rank = RankId(rank);
    device.expert_rank = plan.expert_rank(device.rank);
  }
  return layout;
}

/// A device for each class of ranks of a regular topology; nothing if there are too many.
std::optional<ReplayLayout> fold_regular(const ParallelPlan& plan, const Topology& topology,
                                         bool experts_alike, bool rings_together) {
  if (!topology.regular())
    return std::nullopt;
  auto classes = find_rank_classes(
      plan, topology,
      {.experts_alike = experts_alike,
       .rings_together = rings_together,
       .classes_max = static_cast<std::size_t>(folded_devices_max(plan) / plan.pipeline)},
      BlockSymmetry::find(plan, topology));
  if (!classes)
    return std::nullopt;
  return ReplayLayout{one_rank_per_class(plan, std::move(classes->class_of_position)),
                      LoadModel::classes, false, std::move(classes->first_alike), rings_together};
}

} // namespace

// A Mixtral step with its own load in each layer and micro-batch takes 10 s for 128 devices; 64
// devices in one expert-parallel group take a minute.
std::int64_t folded_devices_max(const ParallelPlan& plan) {
  constexpr std::int64_t least = 64;
  constexpr std::int64_t most = 128;
  constexpr std::int64_t flows_of_devices = 2048;
  return std::clamp(flows_of_devices / plan.expert, least, most);
}

bool ranks_sit_alike(const ParallelPlan& plan, const Topology& topology) {
  return topology.regular() &&
         (sit_alike_by_arithmetic(plan, topology) || sit_alike_by_profile(plan, topology));
}

bool stages_sit_alike(const ParallelPlan& plan, const Topology& topology) {
  const std::int64_t ranks = plan.stage_ranks();
  const auto units = topology.spec().unit_gpus();
  return topology.regular() && std::all_of(units.begin(), units.end(), [&](std::int64_t unit) {
           return ranks % unit == 0 || unit % ranks == 0;
         });
}

ReplayLayout fold_stages(const ParallelPlan& plan) {
  return {one_rank_per_stage(plan), LoadModel::representative, false};
}

ReplayLayout fold_ranks(const ParallelPlan& plan, const Topology& topology) {
  return ranks_sit_alike(plan, topology) ? fold_stages(plan)
                                         : fold_into_classes(plan, topology, true);
}

ReplayLayout fold_into_classes(const ParallelPlan& plan, const Topology& topology,
                               bool experts_alike) {
  if (!topology.regular() && plan.gpus <= folded_devices_max(plan))
    return {every_rank(plan), LoadModel::classes, false};
  if (auto classes = fold_regular(plan, topology, experts_alike, false))
    return *std::move(classes);
  return {slowest_rank_per_stage(plan, topology), LoadModel::stage_links, true};
}

std::optional<ReplayLayout> fold_rings_together(const ParallelPlan& plan,
                                                const Topology& topology) {
  return fold_regular(plan, topology, true, true);
}

LinkFolding::LinkFolding(const ReplayLayout& layout, const ParallelPlan& plan,
                         const Topology& topology)
    : layout_(layout), plan_(plan), topology_(topology) {
  alike_.resize(layout.first_alike.size(), 0);
  for (const LinkId first : layout.first_alike)
    ++alike_[index(first)];
}

std::uint32_t LinkFolding::times(LinkId link, std::int64_t stage) {
  const auto [known, added] = times_.emplace(std::pair(link, stage), 0U);
  if (!added)
    return known->second;
  const LinkKind kind = topology_.link(link).kind;
  const auto first = static_cast<std::uint32_t>(stage * plan_.stage_ranks());
  for (std::uint32_t rank = first; rank < first + plan_.stage_ranks(); ++rank)
    known->second += topology_.own_link(RankId(rank), kind) == link ? 1 : 0;
  return known->second;
}

MachineRoute::Hop LinkFolding::number(LinkId original, std::uint32_t times) {
  const auto next = static_cast<std::uint32_t>(originals_.size());
  const auto [known, added] = index_.emplace(original, next);
  if (added)
    originals_.push_back(original);
  if (asked_)
    asked_->push_back(original);
  return {known->second, times};
}

MachineRoute::Hop LinkFolding::hop(RankId owner, LinkKind kind, std::uint32_t times) {
  const std::int64_t stage = plan_.stage_of(owner);
  const RankId rank = layout_.layout.devices[static_cast<std::size_t>(stage)].rank;
  return number(topology_.own_link(rank, kind), times);
}

LinkId LinkFolding::stage_link(RankId member, LinkId link) {
  const std::int64_t stage = plan_.stage_of(member);
  const LinkKind kind = topology_.link(link).kind;
  if (topology_.regular())
    return topology_.own_link(layout_.layout.devices[static_cast<std::size_t>(stage)].rank, kind);
  return stage_links_.try_emplace({stage, kind}, link).first->second;
}

std::vector<MachineLink> LinkFolding::links() const {
  std::vector<MachineLink> links;
  for (const LinkId original : originals_)
    links.push_back({topology_.link(original).name, topology_.link(original).capacity});
  return links;
}

MachineRoute LinkFolding::route(RankId source, const Route& route) {
  // The owner of a link is the rank whose own link it is: first the sender, then a GPU that
  // forwards, then the receiver.
  MachineRoute folded;
  RankId owner = source;
  for (std::size_t i = 0; i < route.size(); ++i) {
    const LinkKind kind = topology_.link(route[i].link).kind;
    if (is_inbound(kind))
      owner = next_stop(route, i);
    const MachineRoute::Hop own = hop(owner, kind, 1);
    folded.hops.push_back(
        number(originals_[own.link], times(originals_[own.link], plan_.stage_of(owner))));
  }
  return folded;
}

RankId LinkFolding::next_stop(const Route& route, std::size_t from) const {
  const bool nics_on_switch = topology_.spec().node.nics_on_switch();
  for (; from < route.size(); ++from) {
    const LinkKind kind = topology_.link(route[from].link).kind;
    if (kind == LinkKind::scale_up_ingress || (kind == LinkKind::pcie_ingress && !nics_on_switch))
      return topology_.owner(route[from].link);
  }
  INVARIANT(false, "a route of {} links ends at no GPU", route.size());
}

} // namespace moesim
