#pragma once

#include "sim/base/ids.hpp"
#include "sim/platform/topology_spec.hpp"

#include <boost/graph/adjacency_list.hpp>

#include <ostream>
#include <string>
#include <vector>

namespace moesim {

enum class VertexKind { gpu, scale_up_switch, nic, leaf, spine };

/// A device of the cluster.
struct Vertex {
  std::string name; ///< "Node[3].Gpu[5]", "Leaf[2]", …
  VertexKind kind = VertexKind::gpu;
};

enum class LinkKind {
  scale_up_egress,
  scale_up_ingress,
  pcie_egress,
  pcie_ingress,
  nic_egress,
  nic_ingress,
  leaf_uplink,
  leaf_downlink
};

/// One direction of a cable, or of all cables between a leaf and the spines, over which traffic
/// is spread evenly.
struct Link {
  std::string name; ///< "Node[3].Gpu[5].ScaleUpEgress", "Leaf[2].Uplink", …
  LinkKind kind = LinkKind::scale_up_egress;
  LinkId id{};
  BytesPerSecond capacity;
  Seconds latency;
};

/// The way from one GPU to another: the links in order.
using Route = std::vector<LinkId>;

/// The cluster as a directed graph. Ranks sit on GPUs in order: rank r on GPU r % gpus of node
/// r / gpus.
class Topology {
public:
  using Graph =
      boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Vertex, Link>;

  /// The first `gpus` GPUs of the cluster that `spec` describes. The caller has checked that the
  /// cluster holds them.
  Topology(const TopologySpec& spec, std::int64_t gpus);
  Topology(const Topology&) = delete; // links are found by pointers into the graph
  Topology& operator=(const Topology&) = delete;

  const TopologySpec& spec() const { return spec_; }
  const Graph& graph() const { return graph_; }
  std::int64_t gpus() const { return gpus_; }
  std::int64_t nodes() const;
  std::int64_t node_of(RankId rank) const;
  const Link& link(LinkId id) const { return *links_[index(id)]; }
  std::size_t links() const { return links_.size(); }
  std::int64_t count(VertexKind kind) const;
  /// True if the job spans nodes: NICs and leaves are part of the graph then.
  bool has_fabric() const { return !nic_egress_.empty(); }

  /// The route between two ranks; empty from a rank to itself. On a rail-optimised fabric the bytes
  /// for another rail first cross the scale-up switch to the GPU on that rail, as NCCL's PXN does.
  Route route(RankId source, RankId sink) const;
  /// The same into `route`, which keeps its memory: for loops over many pairs.
  void find_route(RankId source, RankId sink, Route& route) const;
  /// The link of a kind that traffic of `rank` uses: its GPU's, its NIC's, its leaf's.
  LinkId own_link(RankId rank, LinkKind kind) const;
  /// The rank on whose GPU a scale-up or PCIe link ends.
  RankId owner(LinkId link) const { return link_owner_[index(link)]; }
  /// The links of `rank` that other ranks may use as well: of its NIC and of its leaf.
  std::vector<LinkId> shared_links(RankId rank) const;
  /// The sum of the latencies of a route.
  Seconds latency(const Route& route) const;

  /// What the two halves of the cluster (ranks 0 … n/2 − 1 and the rest) can send each other, one
  /// direction, by max-flow over the graph.
  BytesPerSecond bisection() const;

  /// Writes the graph in the Graphviz language.
  void write_graphviz(std::ostream& out) const;

private:
  using VertexId = Graph::vertex_descriptor;
  VertexId add_vertex(const std::string& name, VertexKind kind);
  LinkId add_link(VertexId from, VertexId to, const std::string& name, LinkKind kind,
                  BytesPerSecond capacity, Seconds latency);
  void add_node(std::int64_t node);
  void add_leaves();
  std::int64_t leaf_of(std::int64_t node, std::int64_t nic) const;
  std::int64_t nic_of(std::int64_t local_gpu) const { return local_gpu / spec_.gpus_per_nic(); }
  void append_scale_up(Route& route, RankId source, RankId sink) const;
  void append_scale_out(Route& route, RankId source, RankId sink) const;
  std::size_t nic_index(RankId rank) const;

  TopologySpec spec_;
  std::int64_t gpus_ = 0;
  Graph graph_;
  std::vector<const Link*> links_; ///< by LinkId; points into the graph's edges
  std::vector<RankId> link_owner_; ///< by LinkId; rank 0 for links that are no GPU's
  std::vector<VertexId> nics_;     ///< by node · nics + nic
  /// Links by the index of their GPU, NIC or leaf.
  std::vector<LinkId> scale_up_egress_, scale_up_ingress_, pcie_egress_, pcie_ingress_;
  std::vector<LinkId> nic_egress_, nic_ingress_, leaf_uplink_, leaf_downlink_;
};

} // namespace moesim
