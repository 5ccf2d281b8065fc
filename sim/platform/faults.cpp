#include "sim/platform/faults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace moesim {

namespace {

using VertexId = ClusterGraph::VertexId;
using Graph = ClusterGraph::Graph;

[[noreturn]] void fail_unknown(const FaultSpec& fault, const std::string& what,
                               const std::vector<std::string>& names) {
  throw IllegalScenario(fault.where, fmt::format("there is no {} \"{}\"", what, fault.name),
                        suggest_name(fault.name, names));
}

VertexId find_vertex(const FaultSpec& fault, const Graph& graph, const std::string& what,
                     bool (*fits)(VertexKind)) {
  std::vector<std::string> names;
  for (auto [vertex, end] = boost::vertices(graph); vertex != end; ++vertex) {
    if (!fits(graph[*vertex].kind))
      continue;
    if (graph[*vertex].name == fault.name)
      return *vertex;
    names.push_back(graph[*vertex].name);
  }
  fail_unknown(fault, what, names);
}

void scale_links_at(VertexId vertex, double share, Graph& graph) {
  for (auto [edge, end] = boost::out_edges(vertex, graph); edge != end; ++edge)
    graph[*edge].capacity = graph[*edge].capacity * share;
  for (auto [edge, end] = boost::in_edges(vertex, graph); edge != end; ++edge)
    graph[*edge].capacity = graph[*edge].capacity * share;
}

/// The NICs of a node, in the order of their numbers.
std::vector<VertexId> nics_of_node(std::int64_t node, const Graph& graph) {
  std::vector<VertexId> nics;
  for (VertexId vertex = 0; vertex < boost::num_vertices(graph); ++vertex)
    if (graph[vertex].kind == VertexKind::nic && graph[vertex].node == node)
      nics.push_back(vertex);
  return nics;
}

bool is_up(VertexId nic, const Graph& graph) {
  const auto [first, end] = boost::out_edges(nic, graph);
  return std::any_of(first, end,
                     [&](const auto& edge) { return graph[edge].capacity.value > 0.0; });
}

/// The NIC of the same node that is up and nearest to `down`, in a tree of pairs of numbers, as
/// PCIe switches and sockets hold them: of 8, NIC 0 for NIC 1 and NIC 6 for NIC 7. Nothing if all
/// others are down.
std::optional<VertexId> nearest_nic(VertexId down, const Graph& graph) {
  const std::vector<VertexId> nics = nics_of_node(graph[down].node, graph);
  const auto number =
      static_cast<std::size_t>(std::find(nics.begin(), nics.end(), down) - nics.begin());
  std::optional<std::size_t> nearest;
  for (std::size_t other = 0; other < nics.size(); ++other)
    if (other != number && is_up(nics[other], graph) &&
        (!nearest || (other ^ number) < (*nearest ^ number)))
      nearest = other;
  return nearest ? std::optional(nics[*nearest]) : std::nullopt;
}

/// Takes a NIC down. Its GPUs use the nearest other NIC of their node, which they share with its
/// own GPUs: NCCL chooses the NIC of a rank's messages to a peer by the number of their channel
/// (ncclTopoGetLocalNet in NVIDIA/nccl: src/graph/topo.cc), and those to all ranks of another node
/// have the same one or two channels.
void take_down(VertexId nic, Graph& graph) {
  const std::optional<VertexId> other = nearest_nic(nic, graph);
  std::vector<std::pair<VertexId, Link>> sent; // GPU and its link to the NIC
  std::vector<std::pair<VertexId, Link>> received;
  for (auto [edge, end] = boost::in_edges(nic, graph); other && edge != end; ++edge)
    if (graph[boost::source(*edge, graph)].kind == VertexKind::gpu)
      sent.emplace_back(boost::source(*edge, graph), graph[*edge]);
  for (auto [edge, end] = boost::out_edges(nic, graph); other && edge != end; ++edge)
    if (graph[boost::target(*edge, graph)].kind == VertexKind::gpu)
      received.emplace_back(boost::target(*edge, graph), graph[*edge]);
  for (const auto& [gpu, link] : sent) {
    boost::remove_edge(gpu, nic, graph);
    boost::add_edge(gpu, *other, link, graph);
  }
  for (const auto& [gpu, link] : received) {
    boost::remove_edge(nic, gpu, graph);
    boost::add_edge(*other, gpu, link, graph);
  }
  scale_links_at(nic, 0.0, graph);
}

void scale_nic(VertexId nic, double share, Graph& graph) {
  if (share == 0.0)
    take_down(nic, graph);
  else
    scale_links_at(nic, share, graph);
}

void scale_link(const FaultSpec& fault, Graph& graph) {
  std::vector<std::string> names;
  for (VertexId vertex = 0; vertex < boost::num_vertices(graph); ++vertex)
    for (auto [edge, end] = boost::out_edges(vertex, graph); edge != end; ++edge) {
      names.push_back(graph[*edge].name);
      if (graph[*edge].name != fault.name)
        continue;
      graph[*edge].capacity = graph[*edge].capacity * fault.capacity_share;
      return;
    }
  fail_unknown(fault, "link", names);
}

void scale_rail(const FaultSpec& fault, Graph& graph) {
  const std::string suffix = fmt::format(".Nic[{}]", fault.rail);
  bool found = false;
  for (VertexId vertex = 0; vertex < boost::num_vertices(graph); ++vertex) {
    const Vertex& nic = graph[vertex];
    if (nic.kind != VertexKind::nic || !nic.name.ends_with(suffix))
      continue;
    scale_nic(vertex, fault.capacity_share, graph);
    found = true;
  }
  if (!found)
    throw IllegalScenario(fault.where, fmt::format("no node has a NIC on rail {}", fault.rail),
                          "rails count from 0, as NICs do");
}

/// The GPUs of a node: their names begin with its name.
std::vector<VertexId> gpus_of_node(const FaultSpec& fault, const ClusterGraph& cluster) {
  std::vector<VertexId> found;
  std::vector<std::string> nodes;
  for (const ClusterGraph::Gpu& gpu : cluster.gpus) {
    const std::string& name = cluster.graph[gpu.vertex].name;
    const std::string node = name.substr(0, name.rfind('.'));
    if (node == fault.name)
      found.push_back(gpu.vertex);
    else if (nodes.empty() || nodes.back() != node)
      nodes.push_back(node);
  }
  if (found.empty())
    fail_unknown(fault, "node", nodes);
  return found;
}

bool is_gpu(VertexKind kind) {
  return kind == VertexKind::gpu;
}
bool is_nic(VertexKind kind) {
  return kind == VertexKind::nic;
}
bool is_switch(VertexKind kind) {
  return !is_gpu(kind) && !is_nic(kind);
}

} // namespace

std::vector<VertexId> apply_faults(const TopologySpec& spec, ClusterGraph& cluster) {
  std::vector<VertexId> down;
  for (const FaultSpec& fault : spec.faults) {
    Graph& graph = cluster.graph;
    switch (fault.part) {
    case FaultSpec::Part::link:
      scale_link(fault, graph);
      break;
    case FaultSpec::Part::rail:
      scale_rail(fault, graph);
      break;
    case FaultSpec::Part::nic:
      scale_nic(find_vertex(fault, graph, "NIC", is_nic), fault.capacity_share, graph);
      break;
    case FaultSpec::Part::network_switch:
      scale_links_at(find_vertex(fault, graph, "switch", is_switch), fault.capacity_share, graph);
      break;
    case FaultSpec::Part::gpu: {
      const VertexId gpu = find_vertex(fault, graph, "GPU", is_gpu);
      if (fault.capacity_share == 0.0)
        down.push_back(gpu);
      for (ClusterGraph::Gpu& each : cluster.gpus)
        if (each.vertex == gpu)
          each.speed_share *= fault.capacity_share;
      break;
    }
    case FaultSpec::Part::node: {
      const std::vector<VertexId> gpus = gpus_of_node(fault, cluster);
      down.insert(down.end(), gpus.begin(), gpus.end());
      break;
    }
    }
  }
  return down;
}

} // namespace moesim
