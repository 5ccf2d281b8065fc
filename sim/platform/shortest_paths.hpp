#pragma once

#include "sim/platform/topology.hpp"

namespace moesim {

/// All shortest paths from one GPU over the links that are up, by Dijkstra's algorithm. Traffic
/// splits over equally short paths in proportion to the capacity of their links (equal-cost
/// multi-path, as adaptive routing approaches it).
///
/// Lengths keep traffic as near as possible: a scale-up link counts 5, PCIe and NIC links 10, a
/// link between switches 40. A link between two groups of a dragonfly counts 100, more than two
/// local links, so that minimal routes cross one (Kim et al., "Technology-Driven, Highly-Scalable
/// Dragonfly Topology", 2008). A GPU that forwards for another costs 2 more outside the sender's
/// node, and 1 more for traffic that came in from a NIC. NCCL's PXN and detours round faults follow
/// from these lengths. A second exit by a NIC costs 10,000 more: traffic passes through a foreign
/// scale-up domain only if the switches offer no other path.
class ShortestPaths {
public:
  explicit ShortestPaths(const ClusterGraph& cluster);

  /// Finds the shortest paths from a GPU.
  void start_from(ClusterGraph::VertexId source);
  ClusterGraph::VertexId source() const { return source_; }
  bool reaches(ClusterGraph::VertexId vertex) const;

  /// Finds the links from the source to a GPU with their shares, ordered by distance. Throws
  /// InternalError if no path exists.
  void find_route(ClusterGraph::VertexId sink, Route& route);
  /// Adds the load of each link to `loads`, by LinkId, if the source sends `amounts[v]` to each
  /// vertex v. Afterwards `amounts` holds the amount that passes each vertex.
  void add_loads(std::vector<double>& amounts, std::vector<double>& loads) const;

private:
  using VertexId = ClusterGraph::VertexId;
  using EdgeId = ClusterGraph::Graph::edge_descriptor;
  int length(EdgeId edge) const;
  template <typename Visit> void pass_back(VertexId vertex, double amount, Visit visit) const;

  const ClusterGraph& cluster_;
  VertexId source_;
  std::vector<int> distance_;                 ///< by vertex; -1 if it is not reachable
  std::vector<std::vector<EdgeId>> incoming_; ///< by vertex: the last links of its shortest paths
  std::vector<VertexId> order_;               ///< the vertices by distance
  std::vector<bool> has_left_;                ///< by vertex: whether its paths have left a NIC for
                                              ///< a switch
  std::vector<double> passing_;               ///< work space of find_route
};

} // namespace moesim
