#include "sim/routing/routing_matrix.hpp"
#include "sim/routing/token_counts.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <numeric>

using namespace moesim;

namespace {

std::int64_t sum(const std::vector<std::uint32_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

/// Four ranks with so many tokens each, random top-2 routing over eight experts.
Workload random_routing(std::int64_t tokens, double capacity_factor) {
  Workload workload;
  workload.model.experts.experts = 8;
  workload.model.experts.experts_per_token = 2;
  workload.plan.gpus = 4;
  workload.plan.expert = 4;
  workload.training = {.sequence_length = tokens, .global_batch = 8};
  workload.routing.sampled = true;
  workload.routing.capacity_factor = capacity_factor;
  return workload;
}

} // namespace

TEST_CASE("whole tokens follow the shares, the largest remainders first") {
  using Counts = std::vector<std::uint32_t>;
  CHECK(expected_counts({0.5, 0.25, 0.25}, 8) == Counts{4, 2, 2});
  CHECK(expected_counts({0.5, 0.3, 0.2}, 7) == Counts{4, 2, 1}); // 3.5, 2.1, 1.4: one is left
  CHECK(expected_counts({0.25, 0.25, 0.25, 0.25}, 6) == Counts{2, 2, 1, 1});
}

// Chances 0.7, 0.2 and 0.1 of 1,000: means 700, 200, 100, variances 210, 160, 90. The mean of 4,000
// draws is off by less than 4 standard errors, 4 sqrt(v / 4000); a variance has the standard error
// v sqrt(2 / 4000), 2.2 %.
TEST_CASE("drawn tokens have the means and the variances of a multinomial distribution") {
  Random random(7);
  for (const std::int64_t total : {100, 1000}) { // by the exact law, and by the normal one
    const std::vector<double> shares{0.7, 0.2, 0.1};
    std::vector<double> means(3, 0.0), squares(3, 0.0);
    for (int i = 0; i < 4000; ++i) {
      const auto counts = drawn_counts(shares, total, total, random);
      REQUIRE(sum(counts) == total);
      for (std::size_t place = 0; place < 3; ++place) {
        means[place] += counts[place] / 4000.0;
        squares[place] += counts[place] * (counts[place] / 4000.0);
      }
    }
    for (std::size_t place = 0; place < 3; ++place) {
      const double mean = shares[place] * static_cast<double>(total);
      const double variance = mean * (1.0 - shares[place]);
      CHECK(std::abs(means[place] - mean) < 4.0 * std::sqrt(variance / 4000.0));
      CHECK(squares[place] - means[place] * means[place] == Approx(variance).epsilon(0.1));
    }
  }
}

TEST_CASE("no expert gets more tokens than a rank has") {
  Random random(3);
  for (int i = 0; i < 100; ++i) {
    const auto counts = drawn_counts({0.5, 0.0, 0.5}, 20, 10, random);
    CHECK(counts == std::vector<std::uint32_t>{10, 0, 10});
  }
}

TEST_CASE("an expert takes its capacity from each rank, rounded up") {
  CHECK(expert_capacity(0.0, 100, 8) == 100);
  CHECK(expert_capacity(1.0, 100, 8) == 13);
  CHECK(expert_capacity(1.25, 64, 8) == 10);
}

TEST_CASE("micro-batches, layers, steps and seeds draw their own tokens, the same again") {
  Workload workload = random_routing(512, 0.0);
  const auto wanted = [&](std::int64_t layer, std::int64_t micro_batch) {
    return routing_matrix(workload, layer, micro_batch).wanted;
  };
  const auto first = wanted(0, 0);
  CHECK(first == wanted(0, 0));
  CHECK(first != wanted(0, 1));
  CHECK(first != wanted(1, 0));
  // Ranks draw apart.
  CHECK(std::vector(first.begin(), first.begin() + 8) !=
        std::vector(first.begin() + 8, first.begin() + 16));
  workload.routing.step = 1;
  CHECK(first != wanted(0, 0));
  workload.routing.step = 0;
  workload.routing.seed = 2;
  CHECK(first != wanted(0, 0));
}

// 1,024 choices of a rank, 128 of an expert: a binomial count X of standard deviation
// sqrt(1024 / 8 x 7 / 8) = 10.58. At capacity 128 the mean overflow is 0.3989 x 10.58 = 4.22, 3.30
// % of the choices; at 160, 3.02 deviations up, 0.0003 deviations: less than 0.01 %. The mean of
// 100 matrices, 3,200 counts, has a standard error of 0.58 x 10.58 / 128 / sqrt(3200) = 0.085 %.
TEST_CASE("random routing drops what binomial counts lie above the capacity") {
  for (const auto& [factor, dropped] : {std::pair(1.0, 0.0330), std::pair(1.25, 0.0)}) {
    std::int64_t wanted = 0;
    std::int64_t kept = 0;
    for (std::int64_t micro_batch = 0; micro_batch < 100; ++micro_batch) {
      const RoutingMatrix matrix = routing_matrix(random_routing(512, factor), 0, micro_batch);
      CHECK(matrix.wanted_tokens() == 4 * 1024);
      wanted += matrix.wanted_tokens();
      kept += matrix.kept_tokens();
    }
    const double share = 1.0 - static_cast<double>(kept) / static_cast<double>(wanted);
    CHECK(std::abs(share - dropped) < 0.003);
  }
}

// "Typically < 1 %" of the tokens, whatever the experts are, with the auxiliary loss: arXiv
// 2101.03961, section 2.2. One rank of a batch of 2^20 tokens on 32 ranks, 128 experts and loads as
// even as chance lets them be: 256 tokens an expert, a standard deviation of 15.94. At a capacity
// of 1.0 the mean overflow is 0.3989 x 15.94 = 6.36, 2.5 %; at 1.25, 4.0 deviations up, 0.0003 %.
TEST_CASE("Switch drops what is published for even loads, within two points") {
  Workload workload;
  workload.model.experts.experts = 128;
  workload.model.experts.experts_per_token = 1;
  workload.training = {.sequence_length = 32768, .global_batch = 1};
  workload.routing.sampled = true;
  for (const auto& [factor, dropped] : {std::pair(1.0, 0.0248), std::pair(1.25, 0.0)}) {
    workload.routing.capacity_factor = factor;
    const RoutingMatrix matrix = routing_matrix(workload, 0, 0);
    const double share = 1.0 - static_cast<double>(matrix.kept_tokens()) /
                                   static_cast<double>(matrix.wanted_tokens());
    CHECK(std::abs(share - dropped) < 0.005); // 128 counts: a standard error of 0.3 points
    CHECK(share < 0.01 + 0.02);
  }
}
