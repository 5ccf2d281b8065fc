#include "sim/platform/topology.hpp"

#include <boost/graph/push_relabel_max_flow.hpp>

#include <limits>

namespace moesim {

namespace {

using FlowTraits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;

/// The graph that push-relabel wants: every edge with its reverse and integer capacities, which
/// let it end exactly; a unit is one byte per second.
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

} // namespace

BytesPerSecond Topology::bisection() const {
  if (gpus_ < 2)
    return {};
  FlowGraph flow(boost::num_vertices(graph_) + 2);
  const std::size_t source = boost::num_vertices(graph_);
  const std::size_t sink = source + 1;
  for (VertexId vertex = 0; vertex < boost::num_vertices(graph_); ++vertex)
    for (auto [edge, end] = boost::out_edges(vertex, graph_); edge != end; ++edge)
      add_flow_edge(flow, vertex, boost::target(*edge, graph_),
                    static_cast<long long>(graph_[*edge].capacity.value));
  std::int64_t rank = 0;
  for (auto [vertex, end] = boost::vertices(graph_); vertex != end; ++vertex) {
    if (graph_[*vertex].kind != VertexKind::gpu)
      continue;
    const long long unbounded = std::numeric_limits<long long>::max() / (2 * gpus_);
    if (rank++ < gpus_ / 2)
      add_flow_edge(flow, source, *vertex, unbounded);
    else
      add_flow_edge(flow, *vertex, sink, unbounded);
  }
  const long long rate =
      boost::push_relabel_max_flow(flow, source, sink,
                                   boost::capacity_map(boost::get(&FlowEdge::capacity, flow))
                                       .residual_capacity_map(boost::get(&FlowEdge::residual, flow))
                                       .reverse_edge_map(boost::get(&FlowEdge::reverse, flow)));
  return {static_cast<double>(rate)};
}

} // namespace moesim
