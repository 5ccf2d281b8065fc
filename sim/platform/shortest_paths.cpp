#include "sim/platform/shortest_paths.hpp"

#include "sim/base/check.hpp"

#include <queue>

namespace moesim {

namespace {

constexpr int not_reached = -1;
constexpr int scale_up_length = 5;
constexpr int nic_length = 10;
constexpr int switch_length = 40;
constexpr int global_length = 100;
constexpr int forward_for_other_node = 2;
constexpr int forward_from_nic = 1;
constexpr int second_departure = 10'000;

int plain_length(LinkKind kind) {
  switch (row_of(kind).level) {
  case LinkLevel::scale_up_gpu:
  case LinkLevel::scale_up_switch:
    return scale_up_length;
  case LinkLevel::pcie:
  case LinkLevel::nic:
    return nic_length;
  case LinkLevel::network:
    break;
  }
  return kind == LinkKind::global_link ? global_length : switch_length;
}

} // namespace

ShortestPaths::ShortestPaths(const ClusterGraph& cluster)
    : cluster_(cluster), source_(boost::num_vertices(cluster.graph)),
      incoming_(boost::num_vertices(cluster.graph)), has_left_(boost::num_vertices(cluster.graph)),
      passing_(boost::num_vertices(cluster.graph), 0.0) {}

bool ShortestPaths::reaches(VertexId vertex) const {
  return distance_[vertex] != not_reached;
}

int ShortestPaths::length(EdgeId edge) const {
  const auto& graph = cluster_.graph;
  const VertexId from = boost::source(edge, graph);
  int length = plain_length(graph[edge].kind);
  if (graph[from].kind == VertexKind::gpu && from != source_) {
    if (graph[from].node != graph[source_].node)
      length += forward_for_other_node;
    const LinkKind last = graph[incoming_[from].front()].kind;
    if (last == LinkKind::pcie_ingress)
      length += forward_from_nic;
  }
  if (graph[edge].kind == LinkKind::pcie_egress && has_left_[from])
    length += second_departure;
  return length;
}

void ShortestPaths::start_from(VertexId source) {
  const auto& graph = cluster_.graph;
  source_ = source;
  distance_.assign(boost::num_vertices(graph), not_reached);
  for (auto& links : incoming_)
    links.clear();
  order_.clear();
  has_left_.assign(boost::num_vertices(graph), false);
  std::vector<bool> settled(boost::num_vertices(graph), false);
  using Entry = std::pair<int, VertexId>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  distance_[source] = 0;
  open.emplace(0, source);
  while (!open.empty()) {
    const auto [distance, vertex] = open.top();
    open.pop();
    if (settled[vertex])
      continue;
    settled[vertex] = true;
    order_.push_back(vertex);
    if (vertex != source) {
      const EdgeId last = incoming_[vertex].front();
      has_left_[vertex] =
          graph[last].kind == LinkKind::nic_egress || has_left_[boost::source(last, graph)];
    }
    for (auto [edge, end] = boost::out_edges(vertex, graph); edge != end; ++edge) {
      const VertexId next = boost::target(*edge, graph);
      if (graph[*edge].capacity.value <= 0.0 || settled[next])
        continue;
      const int reached = distance + length(*edge);
      if (distance_[next] == not_reached || reached < distance_[next]) {
        distance_[next] = reached;
        incoming_[next].clear();
        open.emplace(reached, next);
      }
      if (reached == distance_[next])
        incoming_[next].push_back(*edge);
    }
  }
}

template <typename Visit>
void ShortestPaths::pass_back(VertexId vertex, double amount, Visit visit) const {
  double total = 0.0;
  for (const EdgeId edge : incoming_[vertex])
    total += cluster_.graph[edge].capacity.value;
  for (const EdgeId edge : incoming_[vertex])
    visit(edge, amount * (cluster_.graph[edge].capacity.value / total));
}

void ShortestPaths::find_route(VertexId sink, Route& route) {
  INVARIANT(reaches(sink), "no way to {}", cluster_.graph[sink].name);
  passing_[sink] = 1.0;
  // Visits vertices by falling distance, so that a vertex has its full share before it passes it
  // on.
  using Entry = std::pair<int, VertexId>;
  std::priority_queue<Entry> open;
  open.emplace(distance_[sink], sink);
  while (!open.empty()) {
    const VertexId vertex = open.top().second;
    open.pop();
    const double amount = passing_[vertex];
    passing_[vertex] = 0.0;
    pass_back(vertex, amount, [&](EdgeId edge, double share) {
      route.push_back({cluster_.graph[edge].id, share});
      const VertexId from = boost::source(edge, cluster_.graph);
      if (passing_[from] == 0.0 && from != source_)
        open.emplace(distance_[from], from);
      passing_[from] += share;
    });
  }
  passing_[source_] = 0.0;
  std::reverse(route.begin(), route.end());
}

void ShortestPaths::add_loads(std::vector<double>& amounts, std::vector<double>& loads) const {
  for (auto vertex = order_.rbegin(); vertex != order_.rend(); ++vertex)
    if (amounts[*vertex] > 0.0)
      pass_back(*vertex, amounts[*vertex], [&](EdgeId edge, double share) {
        loads[index(cluster_.graph[edge].id)] += share;
        amounts[boost::source(edge, cluster_.graph)] += share;
      });
}

} // namespace moesim
