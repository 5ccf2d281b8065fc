#include "sim/platform/cluster_graph.hpp"
#include "sim/platform/topology_spec.hpp"

#include <fmt/format.h>

#include <set>

namespace moesim {

namespace {

using VertexId = ClusterGraph::VertexId;

/// Connects the NICs of every node to the router that `nodes_per_leaf` nodes share.
void attach_nics(const TopologySpec& spec, const NicVertices& nics,
                 const std::vector<VertexId>& routers, ClusterGraph& cluster) {
  const NodeSpec& node = spec.node;
  for (std::size_t nic = 0; nic < nics.size(); ++nic) {
    const std::int64_t host = static_cast<std::int64_t>(nic) / node.nics;
    const VertexId router = routers[at(host / spec.fabric.nodes_per_leaf)];
    const std::string name = cluster.graph[nics[nic]].name;
    cluster.add_link(nics[nic], router, name + ".Egress", LinkKind::nic_egress, node.nic,
                     node.nic_latency);
    cluster.add_link(router, nics[nic], name + ".Ingress", LinkKind::nic_ingress, node.nic,
                     node.nic_latency);
  }
}

} // namespace

// A dragonfly; minimal routes are local, global, local. The cables to other groups are spread
// evenly over the routers of a group: the cable with number (other − own − 1) mod groups belongs to
// the router of that number mod routers.
void add_dragonfly(const TopologySpec& spec, const NicVertices& nics, ClusterGraph& cluster) {
  const FabricSpec& fabric = spec.fabric;
  const std::int64_t size = fabric.routers_per_group;
  const std::int64_t used = (cluster.nodes + fabric.nodes_per_leaf - 1) / fabric.nodes_per_leaf;
  const std::int64_t groups = (used + size - 1) / size;
  std::vector<VertexId> routers;
  for (std::int64_t router = 0; router < groups * size; ++router)
    routers.push_back(
        cluster.add_vertex(fmt::format("Group[{}].Router[{}]", router / size, router % size),
                           VertexKind::network_switch));
  const auto connect = [&](std::int64_t from, std::int64_t to, LinkKind kind,
                           BytesPerSecond capacity) {
    const std::string end = kind == LinkKind::local_link ? fmt::format("Local[{}]", to % size)
                                                         : fmt::format("Global[{}]", to / size);
    const std::string name = fmt::format("{}.{}", cluster.graph[routers[at(from)]].name, end);
    cluster.add_link(routers[at(from)], routers[at(to)], name, kind, capacity,
                     fabric.switch_latency);
  };
  for (std::int64_t group = 0; group < groups; ++group) {
    for (std::int64_t from = 0; from < size; ++from)
      for (std::int64_t to = 0; to < size; ++to)
        if (from != to)
          connect(group * size + from, group * size + to, LinkKind::local_link, fabric.local_link);
    for (std::int64_t other = 0; other < groups; ++other) {
      if (other == group)
        continue;
      const std::int64_t cable = (other - group - 1 + groups) % groups;
      const std::int64_t back = (group - other - 1 + groups) % groups;
      connect(group * size + cable % size, other * size + back % size, LinkKind::global_link,
              fabric.global_link);
    }
  }
  attach_nics(spec, nics, routers, cluster);
}

// A torus with all its routers. Routes also pass through routers whose nodes are not part of the
// job.
void add_torus(const TopologySpec& spec, const NicVertices& nics, ClusterGraph& cluster) {
  const auto& sizes = spec.fabric.dimensions;
  const std::int64_t count = sizes[0] * sizes[1] * sizes[2];
  const auto coordinates_of = [&](std::int64_t router) {
    return fmt::format("{},{},{}", router % sizes[0], router / sizes[0] % sizes[1],
                       router / (sizes[0] * sizes[1]));
  };
  std::vector<VertexId> routers;
  for (std::int64_t router = 0; router < count; ++router)
    routers.push_back(cluster.add_vertex(fmt::format("Router[{},{},{}]", router % sizes[0],
                                                     router / sizes[0] % sizes[1],
                                                     router / (sizes[0] * sizes[1])),
                                         VertexKind::network_switch));
  std::int64_t stride = 1;
  for (const std::int64_t size : sizes) {
    for (std::int64_t router = 0; router < count; ++router) {
      const std::int64_t coordinate = router / stride % size;
      // In a ring of two, both neighbours are the same router: the set holds it once.
      std::set<std::int64_t> neighbours = {router + ((coordinate + 1) % size - coordinate) * stride,
                                           router + ((coordinate + size - 1) % size - coordinate) *
                                                        stride};
      neighbours.erase(router);
      for (const std::int64_t other : neighbours)
        cluster.add_link(
            routers[at(router)], routers[at(other)],
            fmt::format("Router[{}].To[{}]", coordinates_of(router), coordinates_of(other)),
            LinkKind::torus_link, spec.fabric.torus_link, spec.fabric.switch_latency);
    }
    stride *= size;
  }
  attach_nics(spec, nics, routers, cluster);
}

} // namespace moesim
