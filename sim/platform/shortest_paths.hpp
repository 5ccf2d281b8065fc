#pragma once

#include "sim/platform/topology.hpp"

namespace moesim {

/// All shortest ways from one GPU over the links that are up, as Dijkstra finds them. Where several
/// links lead on an equally short way, traffic splits over them in proportion to their capacity
/// (equal-cost multi-path, as adaptive routing approaches it).
///
/// Lengths count stages, so that traffic stays as near as it can: a scale-up link 5, PCIe and NIC
/// links 10, a link between switches 40. The link between two groups of a dragonfly counts 100,
/// more than two local ones, so that minimal routes cross one (Kim et al., "Technology-Driven,
/// Highly-Scalable Dragonfly Topology", 2008). To forward for another GPU costs 2 more in another
/// node than the sender's, and 1 more for what came in from a NIC. NCCL's PXN and detours round
/// faults follow from that. To leave by a NIC a second time costs 10,000 more: a scale-up domain
/// lies on the way of others' traffic only where switches leave no other.
class ShortestPaths {
public:
  explicit ShortestPaths(const ClusterGraph& cluster);

  /// Finds the ways from a GPU.
  void start_from(ClusterGraph::VertexId source);
  ClusterGraph::VertexId source() const { return source_; }
  bool reaches(ClusterGraph::VertexId vertex) const;

  /// The links from the source to a GPU with their shares, in the order of the distance. Throws
  /// InternalError if there is no way.
  void find_route(ClusterGraph::VertexId sink, Route& route);
  /// Adds the load of an amount for each vertex to `loads`, by LinkId. `amounts` is by vertex, and
  /// used up: it holds what passes each vertex afterwards.
  void add_loads(std::vector<double>& amounts, std::vector<double>& loads) const;

private:
  using VertexId = ClusterGraph::VertexId;
  using EdgeId = ClusterGraph::Graph::edge_descriptor;
  int length(EdgeId edge) const;
  template <typename Visit> void pass_back(VertexId vertex, double amount, Visit visit) const;

  const ClusterGraph& cluster_;
  VertexId source_;
  std::vector<int> distance_;                 ///< by vertex; -1 where there is no way
  std::vector<std::vector<EdgeId>> incoming_; ///< by vertex: the last links of its shortest ways
  std::vector<VertexId> order_;               ///< the vertices by distance
  std::vector<bool> has_left_;                ///< by vertex: its ways have left a NIC for a switch
  std::vector<double> passing_;               ///< work space of find_route
};

} // namespace moesim
