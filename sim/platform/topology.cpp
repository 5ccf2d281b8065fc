#include "sim/platform/topology.hpp"

#include "sim/base/check.hpp"
#include "sim/platform/faults.hpp"
#include "sim/platform/shortest_paths.hpp"

#include <boost/graph/graphviz.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

/// GPUs to build: those requested plus those that faults take down.
std::int64_t gpus_built(const TopologySpec& spec, std::int64_t gpus) {
  std::int64_t built = gpus;
  for (const FaultSpec& fault : spec.faults) {
    if (fault.part == FaultSpec::Part::node)
      built += spec.node.gpus;
    else if (fault.part == FaultSpec::Part::gpu && fault.capacity_share == 0.0)
      ++built;
  }
  return std::min(built, spec.gpus_max);
}

bool has_own_links(FabricKind kind) {
  switch (kind) {
  case FabricKind::none:
  case FabricKind::rail_optimised:
  case FabricKind::leaf_spine:
  case FabricKind::multi_plane:
    return true;
  case FabricKind::dragonfly:
  case FabricKind::torus:
  case FabricKind::explicit_graph:
    return false;
  }
  INVARIANT(false, "fabric {}", index(kind));
}

} // namespace

Topology::Topology(const TopologySpec& spec, std::int64_t gpus)
    : spec_(spec), cluster_(build_cluster(spec, gpus_built(spec, gpus))),
      regular_(has_own_links(spec.fabric.kind) && spec.faults.empty()) {
  INVARIANT(gpus > 0 && gpus <= spec.gpus_max, "gpus {} gpus_max {}", gpus, spec.gpus_max);
  for (const ClusterGraph::VertexId down : apply_faults(spec_, cluster_))
    std::erase_if(cluster_.gpus,
                  [down](const ClusterGraph::Gpu& gpu) { return gpu.vertex == down; });
  if (static_cast<std::int64_t>(cluster_.gpus.size()) < gpus)
    throw IllegalScenario(spec_.faults.front().where,
                          fmt::format("{} GPUs are left of {}, but the job wants {}",
                                      cluster_.gpus.size(), spec.gpus_max, gpus));
  cluster_.gpus.resize(static_cast<std::size_t>(gpus));
  index_links();
  if (!regular_)
    check_connected();
}

Topology::~Topology() = default;

void Topology::index_links() {
  const Graph& graph = cluster_.graph;
  links_.resize(boost::num_edges(graph));
  for (ClusterGraph::VertexId vertex = 0; vertex < boost::num_vertices(graph); ++vertex) {
    ++counts_[index(graph[vertex].kind)];
    for (auto [edge, end] = boost::out_edges(vertex, graph); edge != end; ++edge)
      links_[index(graph[*edge].id)] = &graph[*edge];
  }
  if (!regular_)
    return;
  link_owner_.resize(links_.size());
  for (const LinkKind kind : enumerators<LinkKind>) {
    const auto& own = cluster_.own[index(kind)];
    const LinkLevel level = row_of(kind).level;
    const bool own_alone = level == LinkLevel::scale_up_gpu ||
                           (level == LinkLevel::pcie && !spec_.node.nics_on_switch());
    if (own.empty())
      continue;
    own_kinds_.push_back(kind);
    if (!own_alone)
      shared_kinds_.push_back(kind);
    for (std::size_t rank = std::min(own.size(), cluster_.gpus.size()); rank-- > 0;)
      link_owner_[index(own[rank])] = RankId(static_cast<std::uint32_t>(rank));
  }
}

void Topology::check_connected() const {
  ShortestPaths& paths = paths_from(RankId(0));
  const auto cut_off =
      std::find_if(cluster_.gpus.begin(), cluster_.gpus.end(),
                   [&](const ClusterGraph::Gpu& gpu) { return !paths.reaches(gpu.vertex); });
  if (cut_off == cluster_.gpus.end())
    return;
  const auto reached =
      std::count_if(cluster_.gpus.begin(), cluster_.gpus.end(),
                    [&](const ClusterGraph::Gpu& gpu) { return paths.reaches(gpu.vertex); });
  const InputLocation where =
      spec_.faults.empty()
          ? InputLocation{.file = spec_.fabric.links_file.string(), .source_line = ""}
          : spec_.faults.front().where;
  throw IllegalScenario(
      where,
      fmt::format("the job is cut in two: {} of its GPUs, {} among them, cannot reach the {} on "
                  "the side of {}",
                  gpus() - reached, cluster_.graph[cut_off->vertex].name, reached,
                  name_of(RankId(0))),
      "leave a way between them, or place the job on one side");
}

std::int64_t Topology::count(VertexKind kind) const {
  return counts_[index(kind)];
}

void Topology::append_scale_up(Route& route, RankId source, RankId sink) const {
  append_own(route, source, LinkKind::scale_up_egress);
  if (!cluster_.own[index(LinkKind::scale_up_uplink)].empty() &&
      own_link(source, LinkKind::scale_up_uplink) != own_link(sink, LinkKind::scale_up_uplink)) {
    append_own(route, source, LinkKind::scale_up_uplink);
    append_own(route, sink, LinkKind::scale_up_downlink);
  }
  append_own(route, sink, LinkKind::scale_up_ingress);
}

void Topology::append_scale_out(Route& route, RankId source, RankId sink) const {
  append_own(route, source, LinkKind::pcie_egress);
  append_own(route, source, LinkKind::nic_egress);
  if (own_link(source, LinkKind::leaf_uplink) != own_link(sink, LinkKind::leaf_uplink)) {
    append_own(route, source, LinkKind::leaf_uplink);
    if (spec_.fabric.tiers == 3 &&
        own_link(source, LinkKind::spine_uplink) != own_link(sink, LinkKind::spine_uplink)) {
      append_own(route, source, LinkKind::spine_uplink);
      append_own(route, sink, LinkKind::spine_downlink);
    }
    append_own(route, sink, LinkKind::leaf_downlink);
  }
  append_own(route, sink, LinkKind::nic_ingress);
  append_own(route, sink, LinkKind::pcie_ingress);
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
  if (regular_)
    find_regular_route(source, sink, route);
  else
    paths_from(source).find_route(gpu(sink).vertex, route);
}

void Topology::find_regular_route(RankId source, RankId sink, Route& route) const {
  if (domain_of(source) == domain_of(sink)) {
    append_scale_up(route, source, sink);
    return;
  }
  const ClusterGraph::Gpu& to = gpu(sink);
  const std::int64_t gpus_per_nic = spec_.gpus_per_nic();
  const bool same_rail = gpu(source).local / gpus_per_nic == to.local / gpus_per_nic;
  const bool rails = spec_.fabric.kind == FabricKind::rail_optimised ||
                     spec_.fabric.kind == FabricKind::multi_plane;
  const std::int64_t rail_mate = node_of(source) * spec_.node.gpus + to.local;
  const std::int64_t far_mate = to.node * spec_.node.gpus + gpu(source).local;
  // A partly filled last node may lack the GPU on the sink's rail. Then the sink's node has the GPU
  // on the source's rail.
  const bool here = !rails || same_rail || rail_mate < gpus();
  const RankId from =
      !rails || same_rail || !here ? source : RankId(static_cast<std::uint32_t>(rail_mate));
  const RankId to_mate = here ? sink : RankId(static_cast<std::uint32_t>(far_mate));
  INVARIANT(here || far_mate < gpus(), "ranks {} and {} share no rail", index(source), index(sink));
  // Behind a PCIe switch all NICs of the node are equally near. Else the GPU on the other's rail
  // forwards.
  if (spec_.node.nics_on_switch())
    append_own(route, source, LinkKind::scale_up_egress);
  else if (from != source)
    append_scale_up(route, source, from);
  append_scale_out(route, from, to_mate);
  if (spec_.node.nics_on_switch())
    append_own(route, sink, LinkKind::scale_up_ingress);
  else if (to_mate != sink)
    append_scale_up(route, to_mate, sink);
}

void Topology::append_to_switch_and_back(RankId rank, Route& route) const {
  const auto vertex = gpu(rank).vertex;
  for (auto [edge, end] = boost::out_edges(vertex, cluster_.graph); edge != end; ++edge)
    if (cluster_.graph[*edge].kind == LinkKind::scale_up_egress)
      route.push_back({cluster_.graph[*edge].id, 1.0});
  for (auto [edge, end] = boost::in_edges(vertex, cluster_.graph); edge != end; ++edge)
    if (cluster_.graph[*edge].kind == LinkKind::scale_up_ingress)
      route.push_back({cluster_.graph[*edge].id, 1.0});
}

ShortestPaths& Topology::paths_from(RankId source) const {
  if (!paths_)
    paths_ = std::make_unique<ShortestPaths>(cluster_);
  if (paths_->source() != gpu(source).vertex)
    paths_->start_from(gpu(source).vertex);
  return *paths_;
}

void Topology::add_loads(RankId source, const std::vector<RankId>& sinks,
                         const std::vector<double>& amounts, std::vector<double>& loads) const {
  INVARIANT(sinks.size() == amounts.size(), "sinks {} amounts {}", sinks.size(), amounts.size());
  if (regular_) {
    Route route;
    for (std::size_t i = 0; i < sinks.size(); ++i) {
      find_route(source, sinks[i], route);
      for (const RouteHop& hop : route)
        loads[index(hop.link)] += amounts[i] * hop.share;
    }
    return;
  }
  std::vector<double> by_vertex(boost::num_vertices(cluster_.graph), 0.0);
  for (std::size_t i = 0; i < sinks.size(); ++i)
    if (sinks[i] != source)
      by_vertex[gpu(sinks[i]).vertex] += amounts[i];
  paths_from(source).add_loads(by_vertex, loads);
}

Seconds Topology::latency(const Route& route) const {
  Seconds sum;
  for (const RouteHop& hop : route)
    sum += link(hop.link).latency * hop.share;
  return sum;
}

void Topology::write_graphviz(std::ostream& out) const {
  const Graph& graph = cluster_.graph;
  boost::write_graphviz(out, graph, boost::make_label_writer(boost::get(&Vertex::name, graph)),
                        boost::make_label_writer(boost::get(&Link::name, graph)));
}

} // namespace moesim
