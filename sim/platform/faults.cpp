#include "sim/platform/faults.hpp"

#include <fmt/format.h>

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
    scale_links_at(vertex, fault.capacity_share, graph);
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
      scale_links_at(find_vertex(fault, graph, "NIC", is_nic), fault.capacity_share, graph);
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
