#include "sim/replay/rank_flows.hpp"

#include <algorithm>

namespace moesim {

namespace {

std::vector<RankFlow> all_to_all(double share, const std::vector<RankId>& group,
                                 const Topology& topology) {
  std::vector<RankFlow> flows;
  flows.reserve(group.size() * (group.size() - 1));
  for (const RankId source : group) {
    const std::int64_t inside = peers_on_node(group, source, topology);
    const std::int64_t outside = static_cast<std::int64_t>(group.size()) - 1 - inside;
    for (const RankId sink : group)
      if (source != sink) {
        const bool same = topology.node_of(source) == topology.node_of(sink);
        flows.push_back(
            {source, sink, share, share * static_cast<double>(same ? inside : outside)});
      }
  }
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

std::vector<RankFlow> one_ring(double passed, const std::vector<RankId>& group) {
  std::vector<RankFlow> flows;
  for (std::size_t i = 0; i < group.size(); ++i)
    flows.push_back({group[i], group[(i + 1) % group.size()], passed, passed});
  return flows;
}

std::vector<RankFlow> rings(double passed, const std::vector<RankId>& group,
                            const Topology& topology) {
  const std::size_t width = ranks_per_node(group, topology);
  if (width == 0 || width == group.size())
    return one_ring(passed, group);
  // As many rings as a node has ranks; each leaves the node at another rank.
  const double leaving = passed / static_cast<double>(width);
  const double staying = passed - leaving;
  std::vector<RankFlow> flows;
  flows.reserve(2 * group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    const std::size_t place = i % width;
    if (width > 1)
      flows.push_back({group[i], group[i - place + (place + 1) % width], staying, staying});
    flows.push_back({group[i], group[(i + width) % group.size()], leaving, leaving});
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
    return all_to_all(share, group, topology);
  case Collective::all_reduce:
    return rings(2.0 * share * (ranks - 1.0), group, topology);
  default:
    break;
  }
  return rings(share * (ranks - 1.0), group, topology);
}

std::int64_t peers_on_node(const std::vector<RankId>& group, RankId rank,
                           const Topology& topology) {
  const std::int64_t node = topology.node_of(rank);
  return std::count_if(group.begin(), group.end(),
                       [&](RankId other) { return topology.node_of(other) == node; }) -
         1;
}

} // namespace moesim
