#include "sim/replay/class_traffic.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace moesim {

std::vector<ClassFlow> find_classes(const std::vector<std::vector<RankFlow>>& groups,
                                    const TrafficContext& context) {
  FoldedFlows folded =
      fold_flows(groups, context.layout, context.topology, context.folding, context.class_symmetry);
  context.notes.uneven |= !folded.even;
  return std::move(folded.flows);
}

std::vector<PlannedFlow> plan_classes(const std::vector<RankFlow>& flows,
                                      const std::vector<ClassFlow>& classes, const FlowKind& kind,
                                      const TrafficContext& context) {
  std::vector<PlannedFlow> planned;
  const double mean = context.costs.mean_amount(flows, kind);
  double mixed_amount = 0.0; // amount of a mixed flow, which must equal that of the others
  for (const ClassFlow& one : classes) {
    const RankFlow& flow = flows[one.flow];
    if (flow.bytes <= 0.0)
      continue;
    const double amount = context.costs.amount(flow, kind) / one.parts;
    PlannedFlow& added = planned.emplace_back(one.route, flow.bytes / one.parts, amount);
    added.route.weight = amount / mean;
    added.mixed = one.mixed;
    if (one.mixed) {
      constexpr double rounding = 1e-9;
      const double whole = amount * one.parts;
      context.notes.uneven |= mixed_amount > 0.0 && std::abs(whole / mixed_amount - 1.0) > rounding;
      mixed_amount = whole;
    }
  }
  return planned;
}

TrafficPlan ClassTraffic::collective(const CollectiveWork& work, DeviceId device) {
  const Device& member = context_.device(device);
  const CollectiveFlows group = flows_of_group(work, member.rank, context_);
  return plan_phases(group, context_.costs,
                     [&](std::size_t phase) { return plan_phase(group, phase, work, device); });
}

TrafficPhase ClassTraffic::plan_phase(const CollectiveFlows& group, std::size_t phase,
                                      const CollectiveWork& work, DeviceId device) {
  const FlowKind kind = kind_of(group);
  const std::vector<RankFlow> flows = group.all(phase);
  // The phase waits for the rank with the longest start-up.
  Seconds latest;
  for (std::size_t position = 0; position < group.ranks().size(); ++position)
    latest = std::max(latest, context_.costs.startup(kind, group.peers(phase, position)));
  return {
      latest + farthest_.of(group, phase, work, device).path,
      plan_classes(flows, classes_of(group, phase, work, context_.device(device)), kind, context_)};
}

const std::vector<ClassFlow>& ClassTraffic::classes_of(const CollectiveFlows& group,
                                                       std::size_t phase,
                                                       const CollectiveWork& work,
                                                       const Device& device) {
  const DeviceLayout& layout = context_.layout;
  const DeviceId first = layout.device_of(device.rank);
  const ClassKey key{work.kind, work.group, phase, first};
  if (const auto known = classes_.find(key); known != classes_.end())
    return known->second;
  if (auto copy = classes_of_copy(key))
    return classes_.emplace(key, *std::move(copy)).first->second;
  const std::optional<BlockSymmetry>& symmetry = context_.class_symmetry;
  const auto sent_in_first_block = [&](const CollectiveFlows& flows) {
    return flows.sent_by_first(members_in_first_block(symmetry, flows.ranks()), phase);
  };
  std::vector<std::vector<RankFlow>> groups = {sent_in_first_block(group)};
  for (std::vector<RankId>& ranks : groups_of_stage(context_.plan, work.group, device.stage)) {
    if (ranks == group.ranks() || members_in_first_block(symmetry, ranks) == 0)
      continue;
    const auto same_class = [&](RankId rank) { return layout.device_of(rank) == first; };
    if (std::any_of(ranks.begin(), ranks.end(), same_class))
      groups.push_back(
          sent_in_first_block(CollectiveFlows(work, std::move(ranks), context_.topology)));
  }
  return classes_.emplace(key, find_classes(groups, context_)).first->second;
}

std::optional<std::vector<ClassFlow>> ClassTraffic::classes_of_copy(ClassKey key) const {
  if (!context_.class_symmetry)
    return std::nullopt;
  const DeviceId device = std::get<DeviceId>(key);
  const std::int64_t pipeline = context_.plan.pipeline;
  const std::size_t classes = context_.layout.devices.size() / static_cast<std::size_t>(pipeline);
  for (std::int64_t stage = 0; stage < pipeline; ++stage) {
    std::get<DeviceId>(key) = DeviceId(static_cast<std::uint32_t>(
        static_cast<std::size_t>(stage) * classes + index(device) % classes));
    const auto copy = classes_.find(key);
    if (copy == classes_.end())
      continue;
    std::vector<ClassFlow> moved = copy->second;
    for (ClassFlow& flow : moved)
      move_ahead(context_.device(device).stage - stage, flow.route, context_);
    return moved;
  }
  return std::nullopt;
}

std::vector<PlannedFlow> ClassTraffic::transfer(DeviceId source, DeviceId sink, double bytes) {
  const std::vector<std::uint32_t>& class_of_position = context_.layout.class_of_position;
  const std::size_t ranks = class_of_position.size();
  const auto rank_at = [ranks](const Device& device, std::size_t position) {
    return RankId(
        static_cast<std::uint32_t>(static_cast<std::size_t>(device.stage) * ranks + position));
  };
  const Device& from = context_.device(source);
  const Device& to = context_.device(sink);
  const std::uint32_t own = class_of_position[index(from.rank) % ranks];
  const std::optional<BlockSymmetry>& symmetry = context_.class_symmetry;
  const std::size_t looked_at = symmetry ? static_cast<std::size_t>(symmetry->block()) : ranks;
  std::vector<std::vector<RankFlow>> sent;
  for (std::size_t position = 0; position < looked_at; ++position)
    if (class_of_position[position] == own)
      sent.push_back({{rank_at(from, position), rank_at(to, position), bytes, bytes}});
  return plan_classes(sent.front(), find_classes(sent, context_), point_to_point_kind(), context_);
}

} // namespace moesim
