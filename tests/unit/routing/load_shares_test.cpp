#include "sim/routing/load_shares.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace moesim;

namespace {

using Shares = std::vector<double>;

/// Top-1 routing, in which a share is not limited.
Workload routed(std::int64_t experts, const RoutingSpec& routing) {
  Workload workload;
  workload.model.experts.experts = experts;
  workload.model.experts.experts_per_token = 1;
  workload.routing = routing;
  return workload;
}

Workload zipf(double alpha, std::int64_t experts, std::uint64_t seed = 1) {
  RoutingSpec routing;
  routing.load = LoadKind::zipf;
  routing.zipf_alpha = alpha;
  routing.seed = seed;
  return routed(experts, routing);
}

Shares of_layer(const Workload& workload, std::int64_t layer) {
  return load_shares(workload, {layer, 0, 0});
}

void check_sorted(Shares shares, const Shares& expected) {
  std::sort(shares.rbegin(), shares.rend());
  REQUIRE(shares.size() == expected.size());
  for (std::size_t i = 0; i < shares.size(); ++i)
    CHECK(shares[i] == Approx(expected[i]).epsilon(1e-14));
}

} // namespace

TEST_CASE("uniform shares are all alike") {
  CHECK(of_layer(routed(4, {}), 3) == Shares(4, 0.25));
}

// 1 + 1/2 + 1/3 + 1/4 = 25/12: shares of 12, 6, 4 and 3 in 25.
TEST_CASE("Zipf's shares fall with the rank, which each layer deals out anew") {
  check_sorted(of_layer(zipf(1.0, 4), 0), {12.0 / 25, 6.0 / 25, 4.0 / 25, 3.0 / 25});
  check_sorted(of_layer(zipf(0.0, 4), 0), {0.25, 0.25, 0.25, 0.25});
  CHECK(of_layer(zipf(1.0, 64), 0) == of_layer(zipf(1.0, 64), 0));
  CHECK(of_layer(zipf(1.0, 64), 0) != of_layer(zipf(1.0, 64), 1));
  CHECK(of_layer(zipf(1.0, 64), 0) != of_layer(zipf(1.0, 64, 2), 0));
}

// Two of four experts for each token: none can have more than half of the choices. 12/25 is below,
// so Zipf's shares stay at alpha 1; at 2 the first would have 1 / (1 + 1/4 + 1/9 + 1/16) = 144/205:
// it gets 1/2, and the others 36, 16 and 9 of 61 parts of the rest.
TEST_CASE("no expert has more than one choice of each token") {
  Workload workload = zipf(1.0, 4);
  workload.model.experts.experts_per_token = 2;
  check_sorted(of_layer(workload, 0), {12.0 / 25, 6.0 / 25, 4.0 / 25, 3.0 / 25});
  workload.routing.zipf_alpha = 2.0;
  check_sorted(of_layer(workload, 0), {0.5, 18.0 / 61, 8.0 / 61, 4.5 / 61});
}

// A share of n of concentration a has the mean 1/n and the variance (n - 1) / (n² (n a + 1)):
// n = 8, a = 0.5: 7 / 320 = 0.021875; a = 4: 7 / 2112 = 0.003314. 4,000 layers of 8 experts.
TEST_CASE("Dirichlet's shares have the variance of their concentration") {
  for (const auto& [concentration, variance] :
       {std::pair(0.5, 0.021875), std::pair(4.0, 0.003314)}) {
    RoutingSpec routing;
    routing.load = LoadKind::dirichlet;
    routing.dirichlet_concentration = concentration;
    double squares = 0.0;
    for (std::int64_t layer = 0; layer < 4000; ++layer) {
      const Shares shares = of_layer(routed(8, routing), layer);
      REQUIRE(std::accumulate(shares.begin(), shares.end(), 0.0) == Approx(1.0).epsilon(1e-12));
      for (const double share : shares)
        squares += (share - 0.125) * (share - 0.125);
    }
    CHECK(squares / 32000 == Approx(variance).epsilon(0.03));
  }
}

// Two groups of two: Zipf's shares 2/3 and 1/3 of each.
TEST_CASE("two-level gates have the law for groups and for the experts of each") {
  Workload workload = zipf(1.0, 4);
  workload.routing.gate_groups = 2;
  const Shares shares = of_layer(workload, 0);
  check_sorted(shares, {4.0 / 9, 2.0 / 9, 2.0 / 9, 1.0 / 9});
  const double first = shares[0] + shares[1];
  CHECK((first == Approx(2.0 / 3) || first == Approx(1.0 / 3)));
}

TEST_CASE("a hot expert has its load, the others the rest; hot experts of a rank likewise") {
  RoutingSpec routing;
  routing.load = LoadKind::hot_expert;
  routing.hot_load = 4.5; // of 8: the other seven have 3.5 / 7 of the mean
  Shares hot(8, 0.0625);
  hot[0] = 0.5625;
  check_sorted(of_layer(routed(8, routing), 0), hot);
  routing.load = LoadKind::hot_rank;
  routing.hot_load = 1.75; // two experts: the other six have 4.5 / 6
  Workload workload = routed(8, routing);
  workload.plan.expert = 4;
  const Shares shares = of_layer(workload, 5);
  for (std::size_t expert = 0; expert < 8; ++expert)
    CHECK(shares[expert] == Approx((expert < 2 ? 1.75 : 0.75) / 8).epsilon(1e-14));
}

TEST_CASE("a recording's rows are used in turn, the same in every layer") {
  RoutingSpec routing;
  routing.load = LoadKind::trace;
  LoadTrace trace;
  trace.layers = {{0, {{1, 3}, {2, 2}, {4, 0}}}, {1, {{3, 1}, {0, 4}, {1, 1}}}};
  const auto shares = [&](LoadTrace::Rows rows, const TokenOrigin& origin) {
    trace.rows = rows;
    routing.trace = std::make_shared<const LoadTrace>(trace);
    Workload workload = routed(2, routing);
    workload.plan.gpus = 2;
    workload.plan.expert = 2;
    workload.training = {.sequence_length = 8, .global_batch = 8};
    return load_shares(workload, origin); // four micro-batches of each of two ranks
  };
  using Rows = LoadTrace::Rows;
  CHECK(shares(Rows::micro_batches, {0, 0, 0}) == Shares{0.25, 0.75});
  CHECK(shares(Rows::micro_batches, {0, 1, 0}) == Shares{0.5, 0.5});
  CHECK(shares(Rows::micro_batches, {0, 1, 1}) == Shares{0.5, 0.5});
  CHECK(shares(Rows::micro_batches, {1, 1, 1}) == Shares{0, 1});
  CHECK(shares(Rows::micro_batches, {1, 3, 0}) == Shares{0.75, 0.25}); // from the start again
  CHECK(shares(Rows::sequences, {0, 0, 1}) == Shares{0.5, 0.5});
  CHECK(shares(Rows::sequences, {0, 1, 0}) == Shares{1, 0});
  CHECK(shares(Rows::sequences, {1, 1, 1}) == Shares{0.75, 0.25});
  routing.step = 1; // the second step begins with row 4, or 8
  CHECK(shares(Rows::micro_batches, {0, 0, 0}) == Shares{0.5, 0.5});
  CHECK(shares(Rows::sequences, {0, 0, 0}) == Shares{1, 0});
}
