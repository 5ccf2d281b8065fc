#pragma once

#include "sim/platform/cluster_graph.hpp"
#include "sim/platform/topology_spec.hpp"

#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace moesim {

/// One link of a route from GPU to GPU, in the order of the route, with the share of the traffic
/// that it carries. Shares are below 1 if several equally short paths exist.
struct RouteHop {
  LinkId link{};
  double share = 1.0;
};
using Route = std::vector<RouteHop>;

class ShortestPaths;

/// A cut between two halves of a cluster.
struct Bisection {
  BytesPerSecond rate; ///< maximum flow from the first half to the second
  /// The links of a minimum cut: name of the class, number of links.
  std::vector<std::pair<std::string, std::int64_t>> cut;
};

/// The cluster of a job. Ranks run on the healthy GPUs in order.
///
/// More than 15 methods: one for each query about ranks, links and routes, and all of them read the
/// same graph and its indices. Most are one line.
class Topology {
public:
  using Graph = ClusterGraph::Graph;

  /// The first `gpus` healthy GPUs of the cluster that `spec` describes, with its faults. Throws
  /// IllegalScenario if the cluster does not hold them, if a fault names nothing, or if the faults
  /// cut the job in two; InputError for a malformed explicit graph.
  Topology(const TopologySpec& spec, std::int64_t gpus);
  ~Topology();
  Topology(const Topology&) = delete; // links are found by pointers into the graph
  Topology& operator=(const Topology&) = delete;

  const TopologySpec& spec() const { return spec_; }
  const Graph& graph() const { return cluster_.graph; }
  std::int64_t gpus() const { return static_cast<std::int64_t>(cluster_.gpus.size()); }
  const ClusterGraph::Gpu& gpu(RankId rank) const { return cluster_.gpus[index(rank)]; }
  const std::string& name_of(RankId rank) const { return cluster_.graph[gpu(rank).vertex].name; }
  std::int64_t nodes() const { return cluster_.nodes; }
  std::int64_t domains() const { return cluster_.domains; }
  std::int64_t node_of(RankId rank) const { return gpu(rank).node; }
  /// The scale-up domain of a rank.
  std::int64_t domain_of(RankId rank) const { return gpu(rank).domain; }
  /// GPUs of a full scale-up domain.
  std::int64_t domain_gpus() const { return spec_.node.scale_up_gpus; }
  const Link& link(LinkId id) const { return *links_[index(id)]; }
  std::size_t links() const { return links_.size(); }
  std::int64_t count(VertexKind kind) const;
  /// True if the job spans scale-up domains; the graph then has NICs and switches.
  bool has_fabric() const { return count(VertexKind::nic) > 0; }
  /// True if routes follow from the positions of the ranks alone: a tree of switches, no faults.
  /// Then every rank has its own link of each kind.
  bool regular() const { return regular_; }

  /// The route between two ranks; empty from a rank to itself. Routes are shortest paths. On a
  /// rail-optimised fabric the bytes for another rail first cross the scale-up switch to the GPU on
  /// that rail, as in NCCL's PXN. A GPU whose NIC is down uses the nearest other NIC of its node.
  Route route(RankId source, RankId sink) const;
  /// The same into `route`, which keeps its memory. For loops over many pairs; fastest in the order
  /// of the sources.
  void find_route(RankId source, RankId sink, Route& route) const;
  /// Appends the path from a rank to its scale-up switch and back.
  void append_to_switch_and_back(RankId rank, Route& route) const;
  /// Adds the load of each link to `loads`, by LinkId, if `source` sends `amounts[i]` to rank
  /// `sinks[i]`. On a fabric that is not regular, the cost grows with the number of links, not of
  /// sinks.
  void add_loads(RankId source, const std::vector<RankId>& sinks,
                 const std::vector<double>& amounts, std::vector<double>& loads) const;

  /// The link of a kind that traffic of `rank` uses: its GPU's, its NIC's, its leaf's. Regular
  /// fabrics only.
  LinkId own_link(RankId rank, LinkKind kind) const { return cluster_.own_link(index(rank), kind); }
  /// The kinds of links that exist. Regular fabrics only.
  const std::vector<LinkKind>& own_kinds() const { return own_kinds_; }
  /// The kinds whose links several ranks may use: NIC links and above. Regular fabrics only.
  const std::vector<LinkKind>& shared_kinds() const { return shared_kinds_; }
  /// The first rank whose own link it is. Regular fabrics only.
  RankId owner(LinkId link) const { return link_owner_[index(link)]; }
  /// The latency of a route; a mean if it has several paths.
  Seconds latency(const Route& route) const;

  /// Maximum flow, in one direction, from ranks 0 … n/2 − 1 to ranks n/2 … n − 1.
  Bisection bisection() const;

  /// Writes the graph in the Graphviz language.
  void write_graphviz(std::ostream& out) const;

private:
  void index_links();
  void check_connected() const;
  void find_regular_route(RankId source, RankId sink, Route& route) const;
  void append_own(Route& route, RankId rank, LinkKind kind) const {
    route.push_back({own_link(rank, kind), 1.0});
  }
  void append_scale_up(Route& route, RankId source, RankId sink) const;
  void append_scale_out(Route& route, RankId source, RankId sink) const;
  ShortestPaths& paths_from(RankId source) const;

  TopologySpec spec_;
  ClusterGraph cluster_;
  bool regular_ = false;
  std::vector<const Link*> links_; ///< by LinkId; points into the graph's edges
  std::vector<RankId> link_owner_; ///< by LinkId; regular fabrics
  std::vector<LinkKind> own_kinds_;
  std::vector<LinkKind> shared_kinds_;
  std::array<std::int64_t, enumerator_count<VertexKind>> counts_{};
  /// The paths from the source of the latest query.
  mutable std::unique_ptr<ShortestPaths> paths_;
};

} // namespace moesim
