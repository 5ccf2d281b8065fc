#pragma once

#include "sim/platform/cluster_graph.hpp"
#include "sim/platform/topology_spec.hpp"

#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace moesim {

/// The way from one GPU to another: the links in order, and the share of the traffic that each
/// carries. Shares below 1 stand on links that several equally short ways share.
struct RouteHop {
  LinkId link{};
  double share = 1.0;
};
using Route = std::vector<RouteHop>;

class ShortestPaths;

/// A cut between two halves of a cluster.
struct Bisection {
  BytesPerSecond rate; ///< what the first half can send to the second, by max-flow
  /// The links that a narrowest cut consists of, by class: name of the class and how many.
  std::vector<std::pair<std::string, std::int64_t>> cut;
};

/// The cluster of a job. Ranks sit on the healthy GPUs in order.
///
/// More than 15 methods: one for each question about ranks, links and routes, as all of them read
/// the same graph and its indices. Most are one line.
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
  /// True if the job spans scale-up domains: NICs and switches are part of the graph then.
  bool has_fabric() const { return count(VertexKind::nic) > 0; }
  /// True if routes follow from the places of the ranks alone: a tree of switches, no faults. Then
  /// every rank has its own link of each kind.
  bool regular() const { return regular_; }

  /// The route between two ranks; empty from a rank to itself. Routes are shortest: on a
  /// rail-optimised fabric the bytes for another rail first cross the scale-up switch to the GPU on
  /// that rail, as NCCL's PXN does, and round a NIC that is down they leave by another's.
  Route route(RankId source, RankId sink) const;
  /// The same into `route`, which keeps its memory: for loops over many pairs, best in the order of
  /// their sources.
  void find_route(RankId source, RankId sink, Route& route) const;
  /// The way from a rank to its scale-up switch and back.
  void append_to_switch_and_back(RankId rank, Route& route) const;
  /// Adds what a rank that sends `amounts[i]` to rank `sinks[i]` loads each link with to `loads`,
  /// by LinkId. In time that grows with the links, not with the sinks, where the fabric is not
  /// regular.
  void add_loads(RankId source, const std::vector<RankId>& sinks,
                 const std::vector<double>& amounts, std::vector<double>& loads) const;

  /// Regular fabrics: the link of a kind that traffic of `rank` uses: its GPU's, its NIC's, its
  /// leaf's.
  LinkId own_link(RankId rank, LinkKind kind) const { return cluster_.own_link(index(rank), kind); }
  /// Regular fabrics: which kinds of links there are.
  const std::vector<LinkKind>& own_kinds() const { return own_kinds_; }
  /// Regular fabrics: those of them that several ranks may use, NIC and above.
  const std::vector<LinkKind>& shared_kinds() const { return shared_kinds_; }
  /// Regular fabrics: the first rank whose own link it is.
  RankId owner(LinkId link) const { return link_owner_[index(link)]; }
  /// The sum of the latencies of a route, a mean where it has several ways.
  Seconds latency(const Route& route) const;

  /// What the two halves of the cluster (ranks 0 … n/2 − 1 and the rest) can send each other, one
  /// direction, by max-flow over the graph.
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
  /// The paths from the source that was asked for last.
  mutable std::unique_ptr<ShortestPaths> paths_;
};

} // namespace moesim
