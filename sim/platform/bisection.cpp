#include "sim/platform/topology.hpp"

#include <boost/graph/push_relabel_max_flow.hpp>

#include <limits>
#include <map>

namespace moesim {

namespace {

using FlowTraits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;

/// Edge of the push-relabel graph: each edge has a reverse edge. Capacities are whole bytes per
/// second, so that the algorithm ends with an exact flow.
struct FlowEdge {
  long long capacity = 0;
  long long residual = 0;
  FlowTraits::edge_descriptor reverse;
};
using FlowGraph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, FlowEdge>;

void add_flow_edge(FlowGraph& graph, std::size_t from, std::size_t to, long long capacity) {
  const auto forward = boost::add_edge(from, to, graph).first;
  const auto backward = boost::add_edge(to, from, graph).first;
  graph[forward].capacity = capacity;
  graph[forward].reverse = backward;
  graph[backward].reverse = forward;
}

/// The vertices that `source` reaches over edges with residual capacity.
std::vector<bool> reached_from(std::size_t source, const FlowGraph& flow) {
  std::vector<bool> reached(boost::num_vertices(flow), false);
  std::vector<std::size_t> open = {source};
  reached[source] = true;
  while (!open.empty()) {
    const std::size_t vertex = open.back();
    open.pop_back();
    for (auto [edge, end] = boost::out_edges(vertex, flow); edge != end; ++edge) {
      const std::size_t next = boost::target(*edge, flow);
      if (flow[*edge].residual <= 0 || reached[next])
        continue;
      reached[next] = true;
      open.push_back(next);
    }
  }
  return reached;
}

} // namespace

Bisection Topology::bisection() const {
  if (gpus() < 2)
    return {};
  const Graph& graph = cluster_.graph;
  FlowGraph flow(boost::num_vertices(graph) + 2);
  const std::size_t source = boost::num_vertices(graph);
  const std::size_t sink = source + 1;
  for (auto [edge, end] = boost::edges(graph); edge != end; ++edge)
    add_flow_edge(flow, boost::source(*edge, graph), boost::target(*edge, graph),
                  static_cast<long long>(graph[*edge].capacity.value));
  const long long unbounded = std::numeric_limits<long long>::max() / (2 * gpus());
  for (std::int64_t rank = 0; rank < gpus(); ++rank) {
    const auto vertex = cluster_.gpus[static_cast<std::size_t>(rank)].vertex;
    if (rank < gpus() / 2)
      add_flow_edge(flow, source, vertex, unbounded);
    else
      add_flow_edge(flow, vertex, sink, unbounded);
  }
  const long long rate =
      boost::push_relabel_max_flow(flow, source, sink,
                                   boost::capacity_map(boost::get(&FlowEdge::capacity, flow))
                                       .residual_capacity_map(boost::get(&FlowEdge::residual, flow))
                                       .reverse_edge_map(boost::get(&FlowEdge::reverse, flow)));
  const std::vector<bool> reached = reached_from(source, flow);
  std::map<LinkKind, std::int64_t> cut;
  for (auto [edge, end] = boost::edges(graph); edge != end; ++edge)
    if (reached[boost::source(*edge, graph)] && !reached[boost::target(*edge, graph)])
      ++cut[graph[*edge].kind];
  Bisection bisection{{static_cast<double>(rate)}, {}};
  for (const auto& [kind, links] : cut)
    bisection.cut.emplace_back(row_of(kind).name, links);
  return bisection;
}

} // namespace moesim
