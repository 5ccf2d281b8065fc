#include "sim/replay/rank_flows.hpp"

#include <algorithm>

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

/// How many ranks of the group each of its nodes holds, if all hold as many; 0 if not. Groups are
/// in the order of ranks, so a node's ranks follow each other.
std::size_t ranks_per_node(const std::vector<RankId>& group, const Topology& topology) {
  std::size_t width = 0;
  std::size_t run = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    ++run;
    const bool ends =
        i + 1 == group.size() || topology.node_of(group[i]) != topology.node_of(group[i + 1]);
    if (!ends)
      continue;
    if (width != 0 && run != width)
      return 0;
    width = run;
    run = 0;
  }
  return width;
}

std::vector<RankFlow> one_ring(double passed, double message, const std::vector<RankId>& group) {
  std::vector<RankFlow> flows;
  for (std::size_t i = 0; i < group.size(); ++i)
    flows.push_back({group[i], group[(i + 1) % group.size()], passed, message});
  return flows;
}

std::vector<RankFlow> rings(double passed, double message, const std::vector<RankId>& group,
                            const Topology& topology) {
  const std::size_t width = ranks_per_node(group, topology);
  if (width == 0 || width == group.size())
    return one_ring(passed, message, group);
  // As many rings as a node has ranks; each leaves the node at another rank.
  const double leaving = passed / static_cast<double>(width);
  const double ring_message = message / static_cast<double>(width);
  std::vector<RankFlow> flows;
  flows.reserve(2 * group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    const std::size_t place = i % width;
    if (width > 1)
      flows.push_back(
          {group[i], group[i - place + (place + 1) % width], passed - leaving, ring_message});
    flows.push_back({group[i], group[(i + width) % group.size()], leaving, ring_message});
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
