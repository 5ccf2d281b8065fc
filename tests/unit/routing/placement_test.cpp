#include "sim/routing/placement.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace moesim;

namespace {

using Experts = std::vector<std::int64_t>;
using Loads = std::vector<double>;

Experts placed(const PlacementRequest& request, const Loads& loads) {
  return place_experts(request, loads).expert_of_slot;
}

std::string reason_against(const PlacementRequest& request, const Loads& loads) {
  try {
    place_experts(request, loads);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

std::string reason_against_sources(const PlacementRequest& request, const TokensBySource& tokens) {
  try {
    place_experts(request, tokens);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

// Four ranks in two scale-up domains, four experts. The first domain sends 1, 1, 9, 5 tokens to the
// experts, the second 8, 8, 1, 1.
const TokensBySource crossed = {{1, 0, 5, 2}, {0, 1, 4, 3}, {6, 3, 1, 0}, {2, 5, 0, 1}};
const PlacementRequest two_domains = {
    .kind = PlacementKind::topology_aware, .experts = 4, .ranks = 4, .ranks_per_domain = 2};

} // namespace

// 10 / 4 = 2.5 experts a rank: they begin at 0, 2.5, 5 and 7.5, rounded down. Expert 3 has 6
// tokens, then 3 a replica; ranks 0 and 2 have a slot left, and are loaded alike.
TEST_CASE("contiguous placement is in order, then copies the busiest into the slots left") {
  CHECK(placed({.experts = 8, .ranks = 4}, Loads(8, 1.0)) == Experts{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(placed({.experts = 10, .ranks = 4, .redundant = 2}, {1, 1, 1, 6, 1, 1, 1, 1, 1, 1}) ==
        Experts{0, 1, 3, 2, 3, 4, 5, 6, 3, 7, 8, 9});
}

// The slot left is on rank 0, which has expert 0: the next busiest is copied, 2.
TEST_CASE("a placement copies no expert onto a rank that has it") {
  CHECK(placed({.experts = 3, .ranks = 2, .redundant = 1}, {9, 1, 2}) == Experts{0, 2, 1, 2});
}

// Two slots on each of two ranks, one expert: each rank holds it twice.
TEST_CASE("a rank with more slots than there are experts holds one twice") {
  for (const PlacementKind kind : {PlacementKind::contiguous, PlacementKind::round_robin,
                                   PlacementKind::load_aware, PlacementKind::topology_aware})
    CHECK(placed({.kind = kind, .experts = 1, .ranks = 2, .redundant = 3}, {8}) ==
          Experts{0, 0, 0, 0});
}

// Rank 1 has a slot left and expert 1, the busiest: 4 is the next.
TEST_CASE("round-robin placement deals experts out") {
  const PlacementRequest request = {.kind = PlacementKind::round_robin, .experts = 4, .ranks = 2};
  CHECK(placed(request, Loads(4, 1.0)) == Experts{0, 2, 1, 3});
  CHECK(placed({.kind = PlacementKind::round_robin, .experts = 5, .ranks = 2, .redundant = 1},
               {1, 9, 1, 1, 4}) == Experts{0, 2, 4, 1, 3, 4});
}

// The first layer of EPLB's published example: see eplb_test.cpp.
TEST_CASE("load-aware placement is EPLB's, hierarchical by the groups of experts") {
  PlacementRequest request = {.kind = PlacementKind::load_aware,
                              .experts = 12,
                              .ranks = 8,
                              .ranks_per_domain = 4,
                              .expert_groups = 4,
                              .redundant = 4};
  const Loads loads = {90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86};
  CHECK(placed(request, loads) == Experts{5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1});
  // Global: the busiest are 10, 5, 1 and 4, each copied once to 91.5, 82.5, 66 and 52. By load: 10,
  // 10, 0 (90), 11 (86), 5, 5, 8 (73), 1 onto a rank each; then the rank least loaded so far takes
  // the next largest: 1 would go to rank 7, which has it, so to rank 6 (73); 3 (61) to rank 7 (66);
  // 9 (56) and 4 (52) to ranks 4 and 5 (82.5); 4 to rank 3 (86), 2 to rank 2 (90), 6 and 7 to
  // ranks 0 and 1.
  const Experts global = {10, 6, 10, 7, 0, 2, 11, 4, 5, 9, 5, 4, 8, 1, 1, 3};
  for (const std::int64_t groups : {0, 1}) {
    request.expert_groups = groups;
    CHECK(placed(request, loads) == global);
  }
  request.expert_groups = 4;
  request.ranks_per_domain = 3; // 8 ranks are no whole number of domains
  CHECK(placed(request, loads) == global);
  request.ranks_per_domain = 1; // 8 domains do not divide 4 groups
  CHECK(placed(request, loads) == global);
}

// The counter-example of pack_evenly: even by chance in order, 3 + 2 + 2 against 3 + 2 + 0 by EPLB.
TEST_CASE("load-aware placement is greedy: one that ignores loads may be more even") {
  PlacementRequest request = {.experts = 6, .ranks = 2};
  const Loads loads = {3, 3, 0, 2, 2, 2};
  CHECK(rank_loads(place_experts(request, loads), loads) == Loads{6, 6});
  request.kind = PlacementKind::load_aware;
  CHECK(rank_loads(place_experts(request, loads), loads) == Loads{7, 5});
}

// Contiguous: domain 0 has experts 0 and 1, so that 9 + 5 tokens leave it, and 8 + 8 the other.
// Topology-aware: 1 + 1 leave each. The best domain is ahead by 7, 7, 8, 4: expert 2 chooses first.
TEST_CASE("topology-aware placement keeps tokens within scale-up domains") {
  const PlacementRequest in_order = {.experts = 4, .ranks = 4, .ranks_per_domain = 2};
  CHECK(tokens_leaving_domains(place_experts(in_order, crossed), crossed, 2) == 30.0);
  const Placement near = place_experts(two_domains, crossed);
  CHECK(near.expert_of_slot == Experts{2, 3, 0, 1});
  CHECK(tokens_leaving_domains(near, crossed, 2) == 4.0);
  CHECK(tokens_leaving_domains(near, crossed, 4) == 0.0); // one domain: nothing leaves it
}

// Expert 0 is the busier (100 tokens), but all the same to it is where it is.
TEST_CASE("an expert that gains most by its domain chooses before a busier one") {
  const PlacementRequest request = {
      .kind = PlacementKind::topology_aware, .experts = 2, .ranks = 2};
  const TokensBySource tokens = {{50, 90}, {50, 0}};
  const Placement placement = place_experts(request, tokens);
  CHECK(placement.expert_of_slot == Experts{1, 0});
  CHECK(tokens_leaving_domains(placement, tokens, 1) == 50.0);
}

// Each replica of expert 0 keeps 6 of 12 tokens in the second domain.
TEST_CASE("replicas are where most of their tokens come from") {
  PlacementRequest request = two_domains;
  request.experts = 3;
  request.redundant = 1;
  const TokensBySource tokens = {{0, 3, 1}, {0, 0, 2}, {5, 0, 0}, {7, 0, 0}};
  const Placement placement = place_experts(request, tokens);
  CHECK(placement.expert_of_slot == Experts{1, 2, 0, 0});
  CHECK(tokens_leaving_domains(placement, tokens, 2) == 0.0);
}

// By load: 4 to the first domain, 3 and 2 to the second, 1 to the first, then a rank each.
TEST_CASE("topology-aware placement evens loads where all sources send alike") {
  CHECK(placed(two_domains, {4, 3, 2, 1}) == Experts{0, 3, 1, 2});
}

// A slot a rank. All three replicas of expert 0 would best be in the second domain, which has two
// ranks. The third takes a slot of the first domain, ahead of expert 1, and keeps nothing there: a
// third of 30 tokens leaves.
TEST_CASE("replicas beyond the ranks of the best domain go to another") {
  PlacementRequest request = two_domains;
  request.experts = 2;
  request.redundant = 2;
  const TokensBySource tokens = {{0, 3}, {0, 0}, {15, 0}, {15, 0}};
  const Placement placement = place_experts(request, tokens);
  CHECK(placement.expert_of_slot == Experts{0, 1, 0, 0});
  CHECK(tokens_leaving_domains(placement, tokens, 2) == Approx(10.0));
}

// Expert 0 has 12 tokens over three replicas, one of them beside expert 1.
TEST_CASE("replicas share tokens, hold weights of their own and sum gradients") {
  const Placement placement = {.ranks = 3, .expert_of_slot = {0, 1, 2, 0, 0, 2}};
  CHECK(placement.slots_per_rank() == 2);
  CHECK(placement.replicas(3) == Experts{3, 1, 2});
  CHECK(rank_loads(placement, {12, 5, 6}) == Loads{9, 7, 7});
  CHECK(replicas_beyond_first(placement, 3) == Experts{0, 1, 2});
  const std::vector<ReplicaRanks> sums = ranks_of_replicas(placement, 3);
  REQUIRE(sums.size() == 2);
  CHECK(sums[0].expert == 0);
  CHECK(sums[0].ranks == Experts{0, 1, 2});
  CHECK(sums[1].expert == 2);
  CHECK(sums[1].ranks == Experts{1, 2});
}

TEST_CASE("a rank that holds an expert twice sums its gradients by itself") {
  const Placement placement = {.ranks = 2, .expert_of_slot = {0, 0, 1, 1}};
  CHECK(replicas_beyond_first(placement, 2) == Experts{1, 1});
  CHECK(ranks_of_replicas(placement, 2).empty());
}

// 288 = 4 x 64 + 32: 0 and 64 are as near. 290 has 34 too many or 30 too few; 10 - 3 x 8 < 0.
TEST_CASE("a number of slots that does not spread evenly is refused with one that does") {
  CHECK(reason_against({.experts = 256, .ranks = 64, .redundant = 32}, Loads(256, 1.0)) ==
        "256 experts and 32 redundant slots do not spread evenly over 64 ranks; the nearest number "
        "of redundant slots that does is 0");
  CHECK(reason_against({.experts = 256, .ranks = 64, .redundant = 34}, Loads(256, 1.0)) ==
        "256 experts and 34 redundant slots do not spread evenly over 64 ranks; the nearest number "
        "of redundant slots that does is 64");
  CHECK(reason_against({.experts = 9, .ranks = 8}, Loads(9, 1.0)) ==
        "9 experts and 0 redundant slots do not spread evenly over 8 ranks; the nearest number of "
        "redundant slots that does is 7");
}

TEST_CASE("what cannot be placed is refused with a reason") {
  const double infinite = std::numeric_limits<double>::infinity();
  CHECK(reason_against({.experts = 4, .ranks = 0}, Loads(4, 1.0)) ==
        "4 experts on 0 ranks, 1 of them a domain: each must be 1 or more");
  CHECK(reason_against({.experts = 4, .ranks = 2, .redundant = -2}, Loads(4, 1.0)) ==
        "-2 redundant slots, 1 groups of experts: neither may be below 0");
  CHECK(reason_against({.experts = 4, .ranks = 2, .expert_groups = 3}, Loads(4, 1.0)) ==
        "4 experts do not fall into 3 groups of one size");
  CHECK(reason_against({.experts = 4, .ranks = 2}, Loads(3, 1.0)) ==
        "3 loads for 4 experts: there must be one each");
  CHECK(reason_against({.experts = 2, .ranks = 2}, {1, -1}) ==
        "the load of an expert is -1: it must be finite and not below 0");
  CHECK(reason_against({.experts = 2, .ranks = 2}, {1, infinite}) ==
        "the load of an expert is inf: it must be finite and not below 0");
  CHECK(
      reason_against(
          {.kind = PlacementKind::topology_aware, .experts = 6, .ranks = 6, .ranks_per_domain = 4},
          Loads(6, 1.0)) == "6 ranks are not in whole scale-up domains of 4: a "
                            "topology-aware placement needs that");
  CHECK(reason_against_sources(two_domains, {{1, 1, 1, 1}}) ==
        "tokens of 1 sources for 4 ranks: each must have its own");
  CHECK(reason_against_sources(two_domains, {{1}, {1}, {1}, {1}}) ==
        "1 loads for 4 experts: there must be one each");
}
