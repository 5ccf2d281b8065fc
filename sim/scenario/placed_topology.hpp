#pragma once

#include "sim/platform/topology_spec.hpp"
#include "sim/workload/parallel_plan.hpp"

#include <cstdint>
#include <optional>

namespace moesim {

/// GPUs of each scale-up domain that a plan uses under the cluster's placement. Under
/// `GroupPlacement::whole` the most that whole expert groups and whole tensor and context groups
/// fill, in whole nodes; a group larger than a domain straddles anyway. All GPUs of a domain where
/// the cluster has too few domains, has faults, is no tree of switches, or fits into one domain.
std::int64_t domain_gpus_used(const TopologySpec& topology, const ParallelPlan& plan);

/// The cluster as a plan uses it: domains of `domain_gpus_used`. Nodes that stay idle are not part
/// of it, nor of what a leaf switch serves.
TopologySpec placed_topology(const TopologySpec& topology, const ParallelPlan& plan);

/// GPUs that stay idle in the domains of a plan, beside those that it uses.
std::int64_t idle_gpus(const TopologySpec& topology, const ParallelPlan& plan);

/// The cluster with the groups of a plan placed whole, larger where it holds too few domains for
/// that; nothing where they straddle all the same: nodes are too large for a group, or may not stay
/// idle.
std::optional<TopologySpec> whole_topology(const TopologySpec& topology, const ParallelPlan& plan);

/// Whether some group that fits into a domain lies in two.
bool groups_straddle(const TopologySpec& topology, const ParallelPlan& plan);

} // namespace moesim
