#pragma once

#include "sim/platform/topology.hpp"
#include "sim/schedule/step_graph.hpp"

#include <vector>

namespace moesim {

/// Bytes from one rank to another.
struct RankFlow {
  RankId source{};
  RankId sink{};
  double bytes = 0.0;
  double message_bytes = 0.0; ///< that the source sends over this tier: decides the efficiency
};

/// The bytes that a collective moves between the ranks of `group`. All-to-all: one n-th of the
/// buffer from each rank to each other. The others are rings, as many as the group has ranks on a
/// node, each over an equal share of the buffer: a rank passes (n − 1)/n of its buffer on (twice
/// for an all-reduce), to the next rank of its node or, for the ring that leaves the node there,
/// to its counterpart on the next node.
std::vector<RankFlow> collective_flows(const CollectiveWork& work, const std::vector<RankId>& group,
                                       const Topology& topology);

/// How many other ranks of `group` share the node of `rank`.
std::int64_t peers_on_node(const std::vector<RankId>& group, RankId rank, const Topology& topology);

} // namespace moesim
