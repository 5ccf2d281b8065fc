#include "sim/replay/collective_plans.hpp"

#include "sim/replay/host_posts.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

const TrafficPlan& CollectivePlans::of(const CollectiveWork& work, DeviceId device) {
  const auto [known, added] = known_.try_emplace({work, device});
  if (added)
    known->second = plan(work, device);
  return known->second;
}

TrafficPlan CollectivePlans::plan(const CollectiveWork& work, DeviceId device) {
  if (!context_.symmetry)
    return plan_alone(work, device);
  const std::size_t classes =
      context_.layout.devices.size() / static_cast<std::size_t>(context_.plan.pipeline);
  const auto [other, first_stage] = stage_plans_.try_emplace({work, index(device) % classes});
  if (!first_stage)
    return plan_as_in(other->second, work, device);
  other->second.device = device;
  context_.folding.record(&other->second.links);
  TrafficPlan plan = plan_alone(work, device);
  context_.folding.record(nullptr);
  return plan;
}

TrafficPlan CollectivePlans::plan_as_in(const StagePlan& other, const CollectiveWork& work,
                                        DeviceId device) {
  TrafficPlan plan = known_.at({work, other.device});
  move_ahead(context_.device(device).stage - context_.device(other.device).stage, other.links, plan,
             context_);
  return plan;
}

TrafficPlan CollectivePlans::plan_alone(const CollectiveWork& work, DeviceId device) {
  TrafficPlan plan = fastest(work, device);
  plan.phases.front().startup += work.wait_for_ranks;
  if (work.host_posted_tokens && compute_)
    add_host_posts(work, context_.device(device).rank, compute_->host(), context_, plan);
  return plan;
}

TrafficPlan CollectivePlans::by_model(const CollectiveWork& work, DeviceId device) {
  context_.notes.by_kernel = {};
  TrafficPlan plan = model_.collective(work, device);
  plan.by_kernel = context_.notes.by_kernel;
  return plan;
}

TrafficPlan CollectivePlans::fastest(const CollectiveWork& work, DeviceId device) {
  TrafficPlan fastest = by_model(work, device);
  if (work.kind != Collective::all_reduce || !work.any_algorithm)
    return fastest;
  for (const Collective kind : other_all_reduces()) {
    CollectiveWork other = work;
    other.kind = kind;
    if (!is_measured(other, device))
      continue;
    TrafficPlan plan = by_model(other, device);
    if (time_alone(plan, context_.folding) < time_alone(fastest, context_.folding))
      fastest = std::move(plan);
  }
  return fastest;
}

bool CollectivePlans::is_measured(const CollectiveWork& work, DeviceId device) const {
  if (!context_.topology.has_fabric())
    return true;
  const RankId member = context_.device(device).rank;
  const CollectiveFlows group = flows_of_group(work, member, context_);
  std::vector<RankFlow> sent;
  group.append(0, group.position_of(member), sent);
  const auto smallest = static_cast<double>(
      network_.smallest_message(context_.topology.spec().node.nic_interconnect, work.kind).value);
  return std::all_of(sent.begin(), sent.end(), [&](const RankFlow& flow) {
    return context_.topology.domain_of(flow.source) == context_.topology.domain_of(flow.sink) ||
           flow.message_bytes >= smallest;
  });
}

std::vector<Collective> CollectivePlans::other_all_reduces() const {
  const Topology& topology = context_.topology;
  const NodeSpec& node = topology.spec().node;
  std::vector<Collective> others;
  if (topology.has_fabric() &&
      network_.measured(node.nic_interconnect, Collective::all_reduce_tree))
    others.push_back(Collective::all_reduce_tree);
  if (node.in_switch_reduction)
    others.push_back(Collective::all_reduce_in_switch);
  return others;
}

} // namespace moesim
