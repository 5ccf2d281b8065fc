#include "sim/platform/topology.hpp"

#include "sim/base/check.hpp"

#include <boost/graph/graphviz.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}
std::size_t at(std::int64_t position) {
  return static_cast<std::size_t>(position);
}

} // namespace

Topology::Topology(const TopologySpec& spec, std::int64_t gpus) : spec_(spec), gpus_(gpus) {
  INVARIANT(gpus > 0 && gpus <= spec.gpus_max, "gpus {} gpus_max {}", gpus, spec.gpus_max);
  for (std::int64_t node = 0; node < nodes(); ++node)
    add_node(node);
  if (spec_.fabric.kind != FabricKind::none && nodes() > 1)
    add_leaves();
  links_.resize(boost::num_edges(graph_));
  for (VertexId vertex = 0; vertex < boost::num_vertices(graph_); ++vertex)
    for (auto [edge, end] = boost::out_edges(vertex, graph_); edge != end; ++edge)
      links_[index(graph_[*edge].id)] = &graph_[*edge];
  link_owner_.resize(links_.size());
  for (const auto* own : {&scale_up_egress_, &scale_up_ingress_, &pcie_egress_, &pcie_ingress_})
    for (std::uint32_t rank = 0; rank < own->size(); ++rank)
      link_owner_[index((*own)[rank])] = RankId(rank);
}

std::int64_t Topology::nodes() const {
  return ceil_div(gpus_, spec_.node.gpus);
}

std::int64_t Topology::node_of(RankId rank) const {
  return static_cast<std::int64_t>(index(rank)) / spec_.node.gpus;
}

Topology::VertexId Topology::add_vertex(const std::string& name, VertexKind kind) {
  return boost::add_vertex(Vertex{name, kind}, graph_);
}

LinkId Topology::add_link(VertexId from, VertexId to, const std::string& name, LinkKind kind,
                          BytesPerSecond capacity, Seconds latency) {
  const auto id = LinkId(static_cast<std::uint32_t>(boost::num_edges(graph_)));
  boost::add_edge(from, to, Link{name, kind, id, capacity, latency}, graph_);
  return id;
}

void Topology::add_node(std::int64_t node) {
  const NodeSpec& spec = spec_.node;
  const VertexId hub =
      add_vertex(fmt::format("Node[{}].ScaleUpSwitch", node), VertexKind::scale_up_switch);
  const std::int64_t gpus = std::min(spec.gpus, gpus_ - node * spec.gpus);
  // A lone node's NICs lead nowhere: they are left out with the fabric.
  const bool networked = spec_.fabric.kind != FabricKind::none && nodes() > 1;
  for (std::int64_t nic = 0; networked && nic < spec.nics; ++nic)
    nics_.push_back(add_vertex(fmt::format("Node[{}].Nic[{}]", node, nic), VertexKind::nic));
  for (std::int64_t local = 0; local < gpus; ++local) {
    const std::string name = fmt::format("Node[{}].Gpu[{}]", node, local);
    const VertexId gpu = add_vertex(name, VertexKind::gpu);
    scale_up_egress_.push_back(add_link(gpu, hub, name + ".ScaleUpEgress",
                                        LinkKind::scale_up_egress, spec.scale_up,
                                        spec.scale_up_latency));
    scale_up_ingress_.push_back(add_link(hub, gpu, name + ".ScaleUpIngress",
                                         LinkKind::scale_up_ingress, spec.scale_up,
                                         spec.scale_up_latency));
    if (!networked)
      continue;
    const VertexId nic = nics_[at(node * spec.nics + nic_of(local))];
    pcie_egress_.push_back(
        add_link(gpu, nic, name + ".PcieEgress", LinkKind::pcie_egress, spec.pcie, {}));
    pcie_ingress_.push_back(
        add_link(nic, gpu, name + ".PcieIngress", LinkKind::pcie_ingress, spec.pcie, {}));
  }
}

std::int64_t Topology::leaf_of(std::int64_t node, std::int64_t nic) const {
  const std::int64_t group = node / spec_.fabric.nodes_per_leaf;
  return spec_.fabric.kind == FabricKind::rail_optimised ? group * spec_.node.nics + nic : group;
}

void Topology::add_leaves() {
  const std::int64_t nics = spec_.node.nics;
  const std::int64_t leaves = leaf_of(nodes() - 1, nics - 1) + 1;
  const bool rails = spec_.fabric.kind == FabricKind::rail_optimised;
  // Built to its full size even if the job leaves ports empty: the uplinks are there.
  const double ports = static_cast<double>(spec_.fabric.nodes_per_leaf * (rails ? 1 : nics));
  const BytesPerSecond uplink = spec_.node.nic * (ports / spec_.fabric.oversubscription);
  std::vector<VertexId> leaf_vertices;
  const VertexId spine = add_vertex("Spine", VertexKind::spine);
  for (std::int64_t leaf = 0; leaf < leaves; ++leaf) {
    const std::string name = fmt::format("Leaf[{}]", leaf);
    leaf_vertices.push_back(add_vertex(name, VertexKind::leaf));
    leaf_uplink_.push_back(add_link(leaf_vertices.back(), spine, name + ".Uplink",
                                    LinkKind::leaf_uplink, uplink, spec_.fabric.switch_latency));
    leaf_downlink_.push_back(add_link(spine, leaf_vertices.back(), name + ".Downlink",
                                      LinkKind::leaf_downlink, uplink,
                                      spec_.fabric.switch_latency));
  }
  for (std::int64_t node = 0; node < nodes(); ++node)
    for (std::int64_t nic = 0; nic < nics; ++nic) {
      const VertexId leaf = leaf_vertices[at(leaf_of(node, nic))];
      const VertexId vertex = nics_[at(node * nics + nic)];
      const std::string name = graph_[vertex].name;
      nic_egress_.push_back(add_link(vertex, leaf, name + ".Egress", LinkKind::nic_egress,
                                     spec_.node.nic, spec_.node.nic_latency));
      nic_ingress_.push_back(add_link(leaf, vertex, name + ".Ingress", LinkKind::nic_ingress,
                                      spec_.node.nic, spec_.node.nic_latency));
    }
}

std::size_t Topology::nic_index(RankId rank) const {
  const auto position = static_cast<std::int64_t>(index(rank));
  return at(node_of(rank) * spec_.node.nics + nic_of(position % spec_.node.gpus));
}

void Topology::append_scale_up(Route& route, RankId source, RankId sink) const {
  route.push_back(scale_up_egress_[index(source)]);
  route.push_back(scale_up_ingress_[index(sink)]);
}

void Topology::append_scale_out(Route& route, RankId source, RankId sink) const {
  const std::size_t from = nic_index(source);
  const std::size_t to = nic_index(sink);
  const std::int64_t nics = spec_.node.nics;
  const std::int64_t from_leaf = leaf_of(node_of(source), static_cast<std::int64_t>(from) % nics);
  const std::int64_t to_leaf = leaf_of(node_of(sink), static_cast<std::int64_t>(to) % nics);
  route.push_back(pcie_egress_[index(source)]);
  route.push_back(nic_egress_[from]);
  if (from_leaf != to_leaf) {
    route.push_back(leaf_uplink_[at(from_leaf)]);
    route.push_back(leaf_downlink_[at(to_leaf)]);
  }
  route.push_back(nic_ingress_[to]);
  route.push_back(pcie_ingress_[index(sink)]);
}

Route Topology::route(RankId source, RankId sink) const {
  Route route;
  find_route(source, sink, route);
  return route;
}

void Topology::find_route(RankId source, RankId sink, Route& route) const {
  route.clear();
  if (source == sink)
    return;
  if (node_of(source) == node_of(sink)) {
    append_scale_up(route, source, sink);
    return;
  }
  const std::int64_t gpus = spec_.node.gpus;
  const std::int64_t rail_mate =
      node_of(source) * gpus + static_cast<std::int64_t>(index(sink)) % gpus;
  const auto mate = RankId(static_cast<std::uint32_t>(rail_mate));
  const bool same_rail = nic_of(static_cast<std::int64_t>(index(source)) % gpus) ==
                         nic_of(static_cast<std::int64_t>(index(sink)) % gpus);
  // A ragged last node may lack the GPU on the sink's rail; the bytes then cross the spine.
  if (spec_.fabric.kind == FabricKind::rail_optimised && !same_rail && rail_mate < gpus_) {
    append_scale_up(route, source, mate);
    append_scale_out(route, mate, sink);
  } else {
    append_scale_out(route, source, sink);
  }
}

LinkId Topology::own_link(RankId rank, LinkKind kind) const {
  const auto leaf = [&] {
    const std::int64_t nic = static_cast<std::int64_t>(nic_index(rank)) % spec_.node.nics;
    return at(leaf_of(node_of(rank), nic));
  };
  switch (kind) {
  case LinkKind::scale_up_egress:
    return scale_up_egress_[index(rank)];
  case LinkKind::scale_up_ingress:
    return scale_up_ingress_[index(rank)];
  case LinkKind::pcie_egress:
    return pcie_egress_[index(rank)];
  case LinkKind::pcie_ingress:
    return pcie_ingress_[index(rank)];
  case LinkKind::nic_egress:
    return nic_egress_[nic_index(rank)];
  case LinkKind::nic_ingress:
    return nic_ingress_[nic_index(rank)];
  case LinkKind::leaf_uplink:
    return leaf_uplink_[leaf()];
  case LinkKind::leaf_downlink:
    break;
  }
  return leaf_downlink_[leaf()];
}

std::vector<LinkId> Topology::shared_links(RankId rank) const {
  if (!has_fabric())
    return {};
  return {own_link(rank, LinkKind::nic_egress), own_link(rank, LinkKind::nic_ingress),
          own_link(rank, LinkKind::leaf_uplink), own_link(rank, LinkKind::leaf_downlink)};
}

Seconds Topology::latency(const Route& route) const {
  Seconds sum;
  for (const LinkId id : route)
    sum += link(id).latency;
  return sum;
}

std::int64_t Topology::count(VertexKind kind) const {
  std::int64_t found = 0;
  for (auto [vertex, end] = boost::vertices(graph_); vertex != end; ++vertex)
    found += graph_[*vertex].kind == kind ? 1 : 0;
  return found;
}

void Topology::write_graphviz(std::ostream& out) const {
  boost::write_graphviz(out, graph_, boost::make_label_writer(boost::get(&Vertex::name, graph_)),
                        boost::make_label_writer(boost::get(&Link::name, graph_)));
}

} // namespace moesim
