#include "sim/replay/collective_plans.hpp"

#include "sim/replay/host_posts.hpp"

#include <utility>

namespace moesim {

const TrafficPlan& CollectivePlans::of(const CollectiveWork& work, DeviceId device) {
  const auto [known, added] = known_.try_emplace({work, device});
  TrafficPlan& plan = known->second;
  if (added) {
    plan = fastest(work, device);
    plan.phases.front().startup += work.wait_for_ranks;
    if (work.host_posted_tokens && compute_)
      add_host_posts(work, context_.device(device).rank, compute_->host(), context_, plan);
  }
  return plan;
}

TrafficPlan CollectivePlans::fastest(const CollectiveWork& work, DeviceId device) {
  TrafficPlan fastest = model_.collective(work, device);
  if (work.kind != Collective::all_reduce || !work.any_algorithm)
    return fastest;
  for (const Collective kind : other_all_reduces()) {
    CollectiveWork other = work;
    other.kind = kind;
    TrafficPlan plan = model_.collective(other, device);
    if (time_alone(plan, context_.folding) < time_alone(fastest, context_.folding))
      fastest = std::move(plan);
  }
  return fastest;
}

std::vector<Collective> CollectivePlans::other_all_reduces() const {
  const Topology& topology = context_.topology;
  const NodeSpec& node = topology.spec().node;
  std::vector<Collective> others;
  if (topology.has_fabric() && network_.measured(node.nic_medium, Collective::all_reduce_tree))
    others.push_back(Collective::all_reduce_tree);
  if (node.in_switch_reduction)
    others.push_back(Collective::all_reduce_in_switch);
  return others;
}

} // namespace moesim
