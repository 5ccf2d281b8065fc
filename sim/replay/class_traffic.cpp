#include "sim/replay/traffic.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

// The traffic of collectives and transfers as classes of flows: the part of the planner for ranks
// that fold into classes, or not at all.
namespace moesim {

const std::vector<ClassFlow>& TrafficPlanner::classes_of(const CollectiveFlows& group_flows,
                                                         std::size_t phase,
                                                         const CollectiveWork& work,
                                                         const Device& device) {
  const DeviceId first = layout_.device_of(device.rank);
  const auto [known, added] = classes_.try_emplace({StageKey{work.kind, work.group, first}, phase});
  if (!added)
    return known->second;
  const auto sent_in_first_block = [&](const CollectiveFlows& flows) {
    return flows.sent_by_first(members_in_first_block(class_symmetry_, flows.ranks()), phase);
  };
  std::vector<std::vector<RankFlow>> groups = {sent_in_first_block(group_flows)};
  for (std::vector<RankId>& ranks : groups_of_stage(plan_, work.group, device.stage)) {
    if (ranks == group_flows.ranks() || members_in_first_block(class_symmetry_, ranks) == 0)
      continue;
    const auto same_class = [&](RankId rank) { return layout_.device_of(rank) == first; };
    if (std::any_of(ranks.begin(), ranks.end(), same_class))
      groups.push_back(sent_in_first_block(CollectiveFlows(work, std::move(ranks), topology_)));
  }
  known->second = fold(groups);
  return known->second;
}

std::vector<ClassFlow> TrafficPlanner::fold(const std::vector<std::vector<RankFlow>>& groups) {
  FoldedFlows folded = fold_flows(groups, layout_, topology_, folding_, class_symmetry_);
  uneven_ |= !folded.even;
  return std::move(folded.flows);
}

std::vector<PlannedFlow> TrafficPlanner::plan_classes(const std::vector<RankFlow>& flows,
                                                      const std::vector<ClassFlow>& classes,
                                                      const FlowKind& kind) {
  std::vector<PlannedFlow> planned;
  const double mean = mean_amount(flows, kind);
  double mixed_amount = 0.0; // of a flow that stands in for others: that of all these
  for (const ClassFlow& one : classes) {
    const RankFlow& flow = flows[one.flow];
    if (flow.bytes <= 0.0)
      continue;
    const double amount = amount_of(flow, kind) / one.parts;
    PlannedFlow& added = planned.emplace_back(one.route, flow.bytes / one.parts, amount);
    added.route.weight = amount / mean;
    added.mixed = one.mixed;
    if (one.mixed) {
      constexpr double rounding = 1e-9;
      const double whole = amount * one.parts;
      uneven_ |= mixed_amount > 0.0 && std::abs(whole / mixed_amount - 1.0) > rounding;
      mixed_amount = whole;
    }
  }
  return planned;
}

std::vector<PlannedFlow> TrafficPlanner::plan_class_transfer(const Device& source,
                                                             const Device& sink, double bytes,
                                                             const FlowKind& kind) {
  // A group's own loads count there: one pair of ranks, whoever the devices stand for.
  if (model_ == LoadModel::group_links) {
    const std::vector<RankFlow> pair = {{source.rank, sink.rank, bytes, bytes}};
    return plan_classes(pair, fold({pair}), kind);
  }
  const std::size_t ranks = layout_.class_of_place.size();
  const std::uint32_t own = layout_.class_of_place[index(source.rank) % ranks];
  std::vector<std::vector<RankFlow>> sent;
  const std::size_t looked_at =
      class_symmetry_ ? static_cast<std::size_t>(class_symmetry_->block()) : ranks;
  for (std::size_t place = 0; place < looked_at; ++place)
    if (layout_.class_of_place[place] == own)
      sent.push_back({{RankId(static_cast<std::uint32_t>(
                           static_cast<std::size_t>(source.stage) * ranks + place)),
                       RankId(static_cast<std::uint32_t>(
                           static_cast<std::size_t>(sink.stage) * ranks + place)),
                       bytes, bytes}});
  return plan_classes(sent.front(), fold(sent), kind);
}

} // namespace moesim
