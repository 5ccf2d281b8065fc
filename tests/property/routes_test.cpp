#include "sim/platform/shortest_paths.hpp"
#include "tests/property/case_count.hpp"
#include "tests/property/random_cluster.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace moesim;

namespace {

std::vector<std::string> names_of(const Topology& topology, const Route& route) {
  std::vector<std::string> names;
  for (const RouteHop& hop : route)
    names.push_back(topology.link(hop.link).name);
  return names;
}

/// At every vertex between source and sink, as much leaves as arrives.
void check_flow(const Topology& topology, RankId source, RankId sink, const Route& route) {
  const Topology::Graph& graph = topology.graph();
  std::map<LinkId, double> shares;
  for (const RouteHop& hop : route)
    shares[hop.link] += hop.share;
  std::map<std::size_t, double> surplus;
  for (auto [edge, end] = boost::edges(graph); edge != end; ++edge)
    if (const auto share = shares.find(graph[*edge].id); share != shares.end()) {
      surplus[boost::source(*edge, graph)] -= share->second;
      surplus[boost::target(*edge, graph)] += share->second;
    }
  surplus[topology.gpu(source).vertex] += 1.0;
  surplus[topology.gpu(sink).vertex] -= 1.0;
  for (const auto& [vertex, amount] : surplus) {
    INFO("at " << graph[vertex].name);
    REQUIRE(amount == Approx(0.0).margin(1e-9));
  }
}

/// NCCL forwards to the sink's rail also where the bytes cross the spine anyway; the shortest path
/// then stays on the sender's.
bool forwards_beyond_a_leaf(const Topology& topology, RankId source, RankId sink) {
  if (topology.domain_of(source) == topology.domain_of(sink))
    return false;
  bool forwards = false;
  bool crosses = false;
  for (const RouteHop& hop : topology.route(source, sink)) {
    forwards = forwards || is_scale_up(topology.link(hop.link).kind);
    crosses = crosses || topology.link(hop.link).kind == LinkKind::leaf_uplink;
  }
  return forwards && crosses;
}

} // namespace

TEST_CASE("the closed form of a tree's routes is their shortest path") {
  std::size_t compared = 0;
  for (std::uint64_t seed = 1; seed < 1 + cases(200); ++seed) {
    const RandomCollective drawn = random_collective(seed, {8, 16, 20, 24, 36, 48});
    const Topology topology(drawn.cluster, drawn.gpus);
    // GPUs that share a NIC may forward for each other's neighbours alike: many shortest ways.
    if (!topology.regular() || drawn.cluster.node.nics != drawn.cluster.node.gpus ||
        drawn.cluster.node.nics_on_switch())
      continue;
    INFO(drawn.text());
    ++compared;
    const ClusterGraph cluster = build_cluster(drawn.cluster, drawn.gpus);
    ShortestPaths paths(cluster);
    for (std::uint32_t source = 0; source < drawn.gpus; source += 3) {
      paths.start_from(topology.gpu(RankId(source)).vertex);
      for (std::uint32_t sink = 0; sink < drawn.gpus; ++sink) {
        if (sink == source)
          continue;
        Route shortest;
        paths.find_route(topology.gpu(RankId(sink)).vertex, shortest);
        INFO("from " << source << " to " << sink);
        if (forwards_beyond_a_leaf(topology, RankId(source), RankId(sink)))
          continue;
        REQUIRE(names_of(topology, shortest) ==
                names_of(topology, topology.route(RankId(source), RankId(sink))));
      }
    }
  }
  CHECK(compared >= of_that_kind(30));
}

TEST_CASE("routes carry all that is sent, on every fabric") {
  for (std::uint64_t seed = 300; seed < 300 + cases(101); ++seed) {
    const RandomCollective drawn = random_collective(seed, {8, 16, 24, 48});
    INFO(drawn.text());
    const Topology topology(drawn.cluster, drawn.gpus);
    for (std::uint32_t source = 0; source < drawn.gpus; source += 5)
      for (std::uint32_t sink = 0; sink < drawn.gpus; ++sink)
        if (sink != source)
          check_flow(topology, RankId(source), RankId(sink),
                     topology.route(RankId(source), RankId(sink)));
  }
}

TEST_CASE("loads of links are those of the routes, on every fabric") {
  for (std::uint64_t seed = 500; seed < 500 + cases(61); ++seed) {
    const RandomCollective drawn = random_collective(seed, {8, 16, 24});
    INFO(drawn.text());
    const Topology topology(drawn.cluster, drawn.gpus);
    std::vector<RankId> sinks;
    std::vector<double> amounts;
    std::vector<double> routed(topology.links(), 0.0);
    for (std::uint32_t sink = 1; sink < drawn.gpus; ++sink) {
      sinks.push_back(RankId(sink));
      amounts.push_back(1.0 + sink);
      for (const RouteHop& hop : topology.route(RankId(0), RankId(sink)))
        routed[index(hop.link)] += hop.share * amounts.back();
    }
    std::vector<double> loads(topology.links(), 0.0);
    topology.add_loads(RankId(0), sinks, amounts, loads);
    for (std::size_t link = 0; link < loads.size(); ++link)
      REQUIRE(loads[link] == Approx(routed[link]).margin(1e-9));
  }
}
