#include "sim/replay/rank_flows.hpp"

#include <algorithm>
#include <map>

namespace moesim {

namespace {

std::vector<RankFlow> all_to_all(double message, const std::vector<RankId>& group) {
  std::vector<RankFlow> flows;
  flows.reserve(group.size() * (group.size() - 1));
  for (const RankId source : group)
    for (const RankId sink : group)
      if (source != sink)
        flows.push_back({source, sink, message, message});
  return flows;
}

/// The group by node, nodes in order.
std::vector<std::vector<RankId>> by_node(const std::vector<RankId>& group,
                                         const Topology& topology) {
  std::map<std::int64_t, std::vector<RankId>> nodes;
  for (const RankId rank : group)
    nodes[topology.node_of(rank)].push_back(rank);
  std::vector<std::vector<RankId>> rows;
  for (auto& [node, ranks] : nodes)
    rows.push_back(std::move(ranks));
  return rows;
}

std::vector<RankFlow> one_ring(double passed, double message, const std::vector<RankId>& group) {
  std::vector<RankFlow> flows;
  for (std::size_t i = 0; i < group.size(); ++i)
    flows.push_back({group[i], group[(i + 1) % group.size()], passed, message});
  return flows;
}

std::vector<RankFlow> rings(double passed, double message, const std::vector<RankId>& group,
                            const Topology& topology) {
  const auto nodes = by_node(group, topology);
  const std::size_t width = nodes.front().size();
  const bool even =
      std::all_of(nodes.begin(), nodes.end(), [&](const auto& row) { return row.size() == width; });
  if (nodes.size() == 1 || !even)
    return one_ring(passed, message, group);
  // As many rings as a node has ranks; each leaves the node at another rank.
  const double leaving = passed / static_cast<double>(width);
  const double ring_message = message / static_cast<double>(width);
  std::vector<RankFlow> flows;
  for (std::size_t node = 0; node < nodes.size(); ++node)
    for (std::size_t i = 0; i < width; ++i) {
      const RankId rank = nodes[node][i];
      if (width > 1)
        flows.push_back({rank, nodes[node][(i + 1) % width], passed - leaving, ring_message});
      flows.push_back({rank, nodes[(node + 1) % nodes.size()][i], leaving, ring_message});
    }
  return flows;
}

} // namespace

std::vector<RankFlow> collective_flows(const CollectiveWork& work, const std::vector<RankId>& group,
                                       const Topology& topology) {
  if (group.size() < 2)
    return {};
  const auto ranks = static_cast<double>(group.size());
  const double share = static_cast<double>(work.bytes.value) / ranks;
  switch (work.kind) {
  case Collective::all_to_all:
    return all_to_all(share, group);
  case Collective::all_reduce:
    return rings(2.0 * share * (ranks - 1.0), share, group, topology);
  case Collective::all_gather:
  case Collective::reduce_scatter:
  case Collective::point_to_point:
    break;
  }
  return rings(share * (ranks - 1.0), share, group, topology);
}

std::int64_t peers_on_node(const std::vector<RankId>& group, RankId rank,
                           const Topology& topology) {
  const std::int64_t node = topology.node_of(rank);
  return std::count_if(group.begin(), group.end(),
                       [&](RankId other) { return topology.node_of(other) == node; }) -
         1;
}

} // namespace moesim
