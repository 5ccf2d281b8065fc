#include "sim/scenario/placed_topology.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

namespace {

/// Ranks of the smallest blocks that hold whole groups, of those that fit into a domain.
std::int64_t whole_groups(const ParallelPlan& plan, std::int64_t domain) {
  std::int64_t block = 1;
  for (const std::int64_t group : {plan.tensor * plan.context, plan.expert * plan.expert_tensor})
    if (const std::int64_t both = std::lcm(block, group); group <= domain && both <= domain)
      block = both;
  return block;
}

bool can_leave_idle(const TopologySpec& topology) {
  const FabricKind kind = topology.fabric.kind;
  const NodeSpec& node = topology.node;
  return topology.placement == GroupPlacement::whole && topology.faults.empty() &&
         (kind == FabricKind::rail_optimised || kind == FabricKind::leaf_spine ||
          kind == FabricKind::multi_plane) &&
         node.scale_up_switch_gpus == node.scale_up_gpus && node.scale_up_gpus > node.gpus;
}

/// GPUs of a domain that whole groups fill, in whole nodes; 0 if none fits.
std::int64_t whole_domain_gpus(const TopologySpec& topology, const ParallelPlan& plan) {
  const std::int64_t domain = topology.node.scale_up_gpus;
  const std::int64_t block = std::lcm(whole_groups(plan, domain), topology.node.gpus);
  return domain / block * block;
}

} // namespace

std::int64_t domain_gpus_used(const TopologySpec& topology, const ParallelPlan& plan) {
  const std::int64_t domain = topology.node.scale_up_gpus;
  if (!can_leave_idle(topology) || plan.gpus <= domain)
    return domain;
  const std::int64_t used = whole_domain_gpus(topology, plan);
  const bool enough = used > 0 && plan.gpus <= topology.gpus_max / domain * used;
  return enough ? used : domain;
}

TopologySpec placed_topology(const TopologySpec& topology, const ParallelPlan& plan) {
  const std::int64_t used = domain_gpus_used(topology, plan);
  TopologySpec placed = topology;
  placed.gpus_max = topology.gpus_max / topology.node.scale_up_gpus * used;
  if (used == topology.node.scale_up_gpus)
    placed.gpus_max = topology.gpus_max;
  placed.node.scale_up_gpus = used;
  placed.node.scale_up_switch_gpus = std::min(topology.node.scale_up_switch_gpus, used);
  return placed;
}

std::int64_t idle_gpus(const TopologySpec& topology, const ParallelPlan& plan) {
  const std::int64_t used = domain_gpus_used(topology, plan);
  return (plan.gpus + used - 1) / used * (topology.node.scale_up_gpus - used);
}

std::optional<TopologySpec> whole_topology(const TopologySpec& topology, const ParallelPlan& plan) {
  TopologySpec whole = topology;
  whole.placement = GroupPlacement::whole;
  const std::int64_t domain = topology.node.scale_up_gpus;
  if (const std::int64_t used = whole_domain_gpus(whole, plan); used > 0)
    whole.gpus_max = std::max(whole.gpus_max, (plan.gpus + used - 1) / used * domain);
  return groups_straddle(whole, plan) ? std::nullopt : std::optional(whole);
}

bool groups_straddle(const TopologySpec& topology, const ParallelPlan& plan) {
  const std::int64_t domain = domain_gpus_used(topology, plan);
  if (plan.gpus <= domain)
    return false;
  for (const std::int64_t group : {plan.tensor * plan.context, plan.expert * plan.expert_tensor})
    if (group <= domain && domain % group != 0)
      return true;
  return false;
}

} // namespace moesim
