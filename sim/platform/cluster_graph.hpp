#pragma once

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"
#include "sim/platform/link_kind.hpp"

#include <boost/graph/adjacency_list.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// A position as an index of a container.
constexpr std::size_t at(std::int64_t position) {
  return static_cast<std::size_t>(position);
}

enum class VertexKind { gpu, scale_up_switch, nic, leaf, spine, core, network_switch };

/// A device of the cluster.
struct Vertex {
  std::string name; ///< "Node[3].Gpu[5]", "Leaf[2]", …
  VertexKind kind = VertexKind::gpu;
  std::int64_t node = -1; ///< the host of a GPU or a NIC; -1 for switches
};

/// One direction of a cable, or of all cables between two stages of switches, over which traffic
/// is spread evenly.
struct Link {
  std::string name; ///< "Node[3].Gpu[5].ScaleUpEgress", "Leaf[2].Uplink", …
  LinkKind kind = LinkKind::scale_up_egress;
  LinkId id{};
  BytesPerSecond capacity; ///< 0: down
  Seconds latency;
};

/// A cluster as a directed graph, with its GPUs and their own links.
struct ClusterGraph {
  using Graph =
      boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Vertex, Link>;
  using VertexId = Graph::vertex_descriptor;

  /// A GPU that a rank runs on.
  struct Gpu {
    VertexId vertex = 0;
    std::int64_t node = 0;
    std::int64_t domain = 0;  ///< its scale-up domain
    std::int64_t local = 0;   ///< index in its node
    double speed_share = 1.0; ///< speed over nominal speed: below 1 for a GPU that a fault slows
  };

  Graph graph;
  std::vector<Gpu> gpus; ///< in the order of the nodes; of a Topology, by rank
  std::int64_t nodes = 0;
  std::int64_t domains = 0;
  /// Links of each kind that the traffic of a GPU uses, by GPU; regular fabrics only.
  std::array<std::vector<LinkId>, enumerator_count<LinkKind>> own;

  VertexId add_vertex(const std::string& name, VertexKind kind, std::int64_t node = -1) {
    return boost::add_vertex(Vertex{name, kind, node}, graph);
  }
  LinkId add_link(VertexId from, VertexId to, const std::string& name, LinkKind kind,
                  BytesPerSecond capacity, Seconds latency);
  LinkId own_link(std::size_t gpu, LinkKind kind) const { return own[index(kind)][gpu]; }
  void set_own(LinkKind kind, LinkId link) { own[index(kind)].push_back(link); }
};

struct TopologySpec;

/// Builds the part of the cluster that holds the first `gpus` GPUs: their nodes, NICs and switches.
/// Throws InputError for a malformed explicit graph.
ClusterGraph build_cluster(const TopologySpec& spec, std::int64_t gpus);

/// Steps of `build_cluster`: each adds the switches of a fabric above the NICs. NICs are listed by
/// node, then by index in the node.
using NicVertices = std::vector<ClusterGraph::VertexId>;
void add_tree(const TopologySpec& spec, const NicVertices& nics, ClusterGraph& cluster);
void add_dragonfly(const TopologySpec& spec, const NicVertices& nics, ClusterGraph& cluster);
void add_torus(const TopologySpec& spec, const NicVertices& nics, ClusterGraph& cluster);
/// The whole cluster from its two tables.
ClusterGraph read_explicit_graph(const TopologySpec& spec);

} // namespace moesim
