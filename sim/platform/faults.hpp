#pragma once

#include "sim/platform/cluster_graph.hpp"
#include "sim/platform/topology_spec.hpp"

namespace moesim {

/// Applies the faults of `spec` to a cluster: scales the capacity of links, slows GPUs. Returns the
/// GPUs that are down. Throws IllegalScenario, with the nearest name, for a fault that names
/// nothing.
std::vector<ClusterGraph::VertexId> apply_faults(const TopologySpec& spec, ClusterGraph& cluster);

} // namespace moesim
