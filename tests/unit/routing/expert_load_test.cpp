#include "sim/routing/expert_load.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace moesim;

namespace {

using Tokens = std::vector<std::int64_t>;

/// Two ranks with two experts each; the second rank's fourth expert keeps 1 of 4 tokens.
RoutingMatrix two_ranks() {
  return {2, 4, {3, 1, 2, 2, 0, 4, 0, 4}, {3, 1, 2, 2, 0, 4, 0, 1}, 0};
}

/// Top-1 routing of 1,000 tokens a rank over 8 experts on 4 ranks, by Zipf's law.
Workload uneven(double capacity_factor) {
  Workload workload;
  workload.model.experts.experts = 8;
  workload.model.experts.experts_per_token = 1;
  workload.plan.gpus = 4;
  workload.plan.expert = 4;
  workload.training = {.sequence_length = 1000, .global_batch = 12};
  workload.routing.load = LoadKind::zipf;
  workload.routing.zipf_alpha = 1.0;
  workload.routing.capacity_factor = capacity_factor;
  return workload;
}

} // namespace

// 13 of 16 tokens are kept: 6.5 a rank, rounded to 7.
TEST_CASE("a rank has the tokens of its experts, a pair those that go from one to the other") {
  const ExpertLoad load = expert_load(two_ranks(), {2, {0, 1, 2, 3}});
  CHECK(load.wanted == Tokens{3, 5, 2, 6});
  CHECK(load.kept == Tokens{3, 5, 2, 3});
  CHECK(load.ranks == Tokens{8, 5});
  CHECK(load.kept_share == Approx(13.0 / 16));
  CHECK(load.sent == 7);
  const std::int64_t tokens[2][2] = {{4, 4}, {4, 1}};
  for (std::size_t source = 0; source < 2; ++source)
    for (std::size_t sink = 0; sink < 2; ++sink) {
      // A pair carries its share of one rank's part, sent / 2.
      CHECK(load.dispatch->share(source, sink) * 7 / 2 ==
            Approx(static_cast<double>(tokens[source][sink])).epsilon(1e-14));
      CHECK(load.combine->share(source, sink) == load.dispatch->share(sink, source));
    }
  CHECK(load.rank_tokens(std::nullopt) == 8);
  CHECK(load.rank_tokens(1) == 5);
}

// 1 + 1/2 + ... + 1/8 = 2.717857: of 1,000 tokens 367.9, 184.0, 122.6, 92.0, … for each rank. A
// capacity of 1.25 is ⌈1.25 x 125⌉ = 157 of them, which drops 211 and 27 of 1,000.
TEST_CASE("a capacity factor drops what is above it") {
  const Workload workload = uneven(1.25);
  const ExpertLoads loads(workload);
  const auto load = loads.at(0, 0);
  CHECK(load->kept_share == Approx(1.0 - 0.238).epsilon(1e-14));
  CHECK(*std::max_element(load->kept.begin(), load->kept.end()) == 4 * 157);
  CHECK(std::accumulate(load->wanted.begin(), load->wanted.end(), 0) == 4000);
}

TEST_CASE("loads are made once, one for all micro-batches that are alike") {
  Workload workload = uneven(0.0);
  {
    const ExpertLoads loads(workload);
    CHECK(loads.micro_batches() == 1);
    CHECK(loads.at(2, 0) == loads.at(2, 1));
    CHECK(loads.at(2, 0) != loads.at(1, 0));
  }
  workload.routing.sampled = true;
  const ExpertLoads loads(workload);
  CHECK(loads.micro_batches() == 3);
  CHECK(loads.at(2, 0) == loads.at(2, 3));
  CHECK(loads.at(2, 0)->ranks != loads.at(2, 1)->ranks);
  std::int64_t most = 0;
  for (const std::int64_t micro_batch : {0, 1, 2})
    most = std::max(most, loads.at(2, micro_batch)->rank_tokens(std::nullopt));
  CHECK(loads.busiest(2)->rank_tokens(std::nullopt) == most);
  workload.routing = {};
  CHECK_FALSE(ExpertLoads(workload).at(0, 0));
  CHECK_FALSE(ExpertLoads(workload).busiest(0));
}

// Rank 0 holds experts 3 and 1, rank 1 holds 0 and 2.
TEST_CASE("tokens go where the placement says") {
  const ExpertLoad load = expert_load(two_ranks(), {2, {3, 1, 0, 2}});
  CHECK(load.ranks == Tokens{5 + 3, 3 + 2});
  CHECK(load.dispatch->share(1, 0) * 7 / 2 == Approx(4.0 + 1.0));
}

TEST_CASE("copies of an expert share its tokens, each source beginning with another") {
  const ExpertLoad load = expert_load(two_ranks(), {2, {0, 1, 1, 2, 3, 3}});
  CHECK(load.ranks == Tokens{8, 5}); // copies on one rank change nothing between ranks
  const ExpertLoad shared = expert_load(two_ranks(), {2, {0, 1, 2, 1, 2, 3}});
  // Expert 2's copies, one a rank: rank 0 sends one token to each. Expert 1's: rank 0's one token
  // stays, rank 1's four are split.
  CHECK(shared.ranks == Tokens{3 + 1 + 2 + 1, 2 + 1 + 3});
}

TEST_CASE("each layer is placed by its own loads, and copies need memory and an exchange") {
  Workload workload = uneven(0.0);
  workload.routing.placement = PlacementKind::load_aware;
  const ExpertLoads loads(workload);
  CHECK(loads.placement(0).expert_of_slot != loads.placement(1).expert_of_slot);
  const auto placed = loads.at(0, 0);
  workload.routing.placement = PlacementKind::contiguous;
  const auto in_order = ExpertLoads(workload).at(0, 0);
  CHECK(placed->wanted == in_order->wanted);
  // 368, 184, 123, 92, 74, 61, 53, 46 of 1,000: the first shares its rank with the last at best.
  CHECK(placed->rank_tokens(std::nullopt) == 4 * (368 + 46));
  CHECK(in_order->rank_tokens(std::nullopt) >= placed->rank_tokens(std::nullopt));
}

TEST_CASE("padding fills every expert up to its capacity, which then are all alike") {
  RoutingMatrix matrix = two_ranks();
  matrix.padded_to = 4; // 4 tokens from each of two ranks for each of four experts
  const ExpertLoad load = expert_load(matrix, {2, {0, 1, 2, 3}});
  CHECK(load.ranks == Tokens{16, 16});
  CHECK(load.sent == 16);
  CHECK(load.kept == Tokens{3, 5, 2, 3});
  CHECK(load.dispatch->share(0, 1) == Approx(1.0).epsilon(1e-14));
}

TEST_CASE("ranks are alike where every pair carries as much, however uneven the experts are") {
  // The two experts of a rank may differ.
  CHECK(
      expert_load({2, 4, {3, 1, 2, 2, 4, 0, 0, 4}, {3, 1, 2, 2, 4, 0, 0, 4}, 0}, {2, {0, 1, 2, 3}})
          .ranks_alike);
  CHECK_FALSE(expert_load(two_ranks(), {2, {0, 1, 2, 3}}).ranks_alike);
  Workload workload = uneven(0.0);
  workload.model.layers.resize(2);
  workload.model.layers[1].moe = true;
  CHECK_FALSE(ExpertLoads(workload).ranks_alike());
  workload.routing.pad_to_capacity = true;
  workload.routing.capacity_factor = 1.25;
  CHECK(ExpertLoads(workload).ranks_alike());
  workload.routing.pad_to_capacity = false;
  workload.plan.expert = 1; // a rank has all experts
  CHECK(ExpertLoads(workload).ranks_alike());
}
