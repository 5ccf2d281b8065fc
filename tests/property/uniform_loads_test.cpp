#include "sim/replay/uniform_loads.hpp"
#include "tests/property/case_count.hpp"
#include "tests/property/random_cluster.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace moesim;

namespace {

/// Every `step`-th rank from `first` on.
std::vector<RankId> some_ranks(std::int64_t gpus, std::int64_t first, std::int64_t step) {
  std::vector<RankId> group;
  for (std::int64_t rank = first; rank < gpus; rank += step)
    group.push_back(RankId(static_cast<std::uint32_t>(rank)));
  return group;
}

void check_against_routes(const Topology& topology, const std::vector<RankId>& group,
                          const std::vector<FlowCount>& counts) {
  std::map<LinkId, FlowCount> routed;
  for (const RankId source : group)
    for (const RankId sink : group)
      for (const RouteHop& hop : topology.route(source, sink)) {
        const bool inside = topology.domain_of(source) == topology.domain_of(sink);
        (inside ? routed[hop.link].inside : routed[hop.link].outside) += 1.0;
      }
  REQUIRE(counts.size() == routed.size());
  auto count = counts.begin();
  for (const auto& [link, expected] : routed) {
    INFO(topology.link(link).name);
    REQUIRE(count->link == link);
    REQUIRE(count->inside == expected.inside);
    REQUIRE(count->outside == expected.outside);
    ++count;
  }
}

} // namespace

TEST_CASE("counted flows are those of the routes") {
  std::size_t counted = 0;
  for (std::uint64_t seed = 1; seed < 1 + cases(300); ++seed) {
    const RandomCollective drawn = random_collective(seed, {8, 16, 32, 48, 64, 96});
    INFO(drawn.text());
    const Topology topology(drawn.cluster, drawn.gpus);
    const std::vector<RankId> group =
        some_ranks(drawn.gpus, static_cast<std::int64_t>(seed % 3), seed % 2 == 0 ? 1 : 3);
    const auto counts = count_all_to_all(topology, group);
    if (!counts)
      continue;
    ++counted;
    check_against_routes(topology, group, *counts);
  }
  CHECK(counted >= of_that_kind(100));
}
