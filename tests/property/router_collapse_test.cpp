// Trainings of thousands of steps: what collapses without help, and what holds the loads even.

#include "tests/support/published_training.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

using namespace moesim;

namespace {

using Row = std::vector<double>;

/// Experts with less than 1 % of the mean load.
std::int64_t dead(const Row& loads) {
  const double mean =
      std::accumulate(loads.begin(), loads.end(), 0.0) / static_cast<double>(loads.size());
  return std::count_if(loads.begin(), loads.end(), [&](double load) { return load < 0.01 * mean; });
}

} // namespace

TEST_CASE("without help most experts are dead after a few thousand steps") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const auto small = load_history(published(Balancing::none, seed), {0, 5000});
    CHECK(dead(small.front()) == 0);
    CHECK(dead(small.back()) > 32);
    const auto large = load_history(published(Balancing::none, seed, 256, 8), {0, 4000});
    CHECK(dead(large.front()) == 0);
    CHECK(dead(large.back()) > 128);
  }
}

TEST_CASE("the auxiliary loss keeps all experts alive, with a coefficient as published") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    for (const Row& loads :
         load_history(published(Balancing::auxiliary_loss, seed), {500, 1000, 2000, 5000})) {
      CHECK(dead(loads) == 0);
      CHECK(max_over_mean(loads) < 2.0);
    }
    const Row large = loads_after(published(Balancing::auxiliary_loss, seed, 256, 8), 3000);
    CHECK(dead(large) == 0);
    CHECK(max_over_mean(large) < 2.0);
    RouterTraining weak = published(Balancing::auxiliary_loss, seed);
    weak.coefficient = 1e-4;
    CHECK(max_over_mean(loads_after(weak, 5000)) > 2.0);
  }
}

TEST_CASE("bias updates balance the loads") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    CHECK(max_over_mean(loads_after(published(Balancing::none, seed), 3000)) > 4.0);
    Row mean(64, 0.0);
    for (const Row& loads :
         load_history(published(Balancing::bias, seed), {2600, 2700, 2800, 2900, 3000}))
      std::transform(mean.begin(), mean.end(), loads.begin(), mean.begin(), std::plus<>());
    CHECK(max_over_mean(mean) < 1.2);
    CHECK(max_over_mean(loads_after(published(Balancing::bias, seed, 256, 8), 3000)) < 1.2);
  }
}

TEST_CASE("the z-loss bounds the logits and delays collapse, but does not prevent it") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const RouterTraining with = published(Balancing::z_loss, seed);
    const RouterTraining without = published(Balancing::none, seed);
    const RouterState bounded = state_after(with, 3000);
    const Routing held = route(with, bounded);
    const Routing free = route(without, state_after(without, 3000));
    for (std::size_t topic = 0; topic < held.log_sum.size(); ++topic)
      CHECK(std::abs(held.log_sum[topic]) < 0.5 * free.log_sum[topic]);
    CHECK(max_over_mean(loads_after(with, 1000)) < 0.5 * max_over_mean(loads_after(without, 1000)));
    CHECK(max_over_mean(held.load) > 4.0);
  }
}

TEST_CASE("a narrow fine-tuning distribution degrades balance") {
  for (const Balancing balancing : {Balancing::auxiliary_loss, Balancing::bias})
    for (const std::uint64_t seed : {1, 2, 3}) {
      RouterTraining training = published(balancing, seed);
      training.narrow_from_step = 2000;
      training.narrow_topics = 2;
      const auto loads = load_history(training, {1999, 2000, 2100, 7000});
      CHECK(max_over_mean(loads[0]) < 1.2);
      CHECK(max_over_mean(loads[1]) > 3.0);
      CHECK(max_over_mean(loads[2]) > 3.0);
      CHECK(max_over_mean(loads[3]) < max_over_mean(loads[2]) / 2.0); // held again in the end
    }
}

TEST_CASE("experts that are added get few tokens at once, and their part later if biases help") {
  for (const std::uint64_t seed : {1, 2, 3})
    for (const Balancing balancing : {Balancing::bias, Balancing::none}) {
      RouterTraining training = published(balancing, seed);
      training.experts_added_at = 2000;
      training.experts_added = 8;
      const auto loads = load_history(training, {1999, 2000, 6000});
      REQUIRE(loads[0].size() == 64);
      REQUIRE(loads[1].size() == 72);
      for (std::size_t added = 64; added < 72; ++added) {
        CHECK(loads[1][added] < 0.5 / 72.0);
        if (balancing == Balancing::bias)
          CHECK(loads[2][added] > 0.5 / 72.0);
        else
          CHECK(loads[2][added] < 0.05 / 72.0);
      }
    }
}

TEST_CASE("half or twice an assumption changes when loads collapse, not what holds them") {
  for (double RouterAssumptions::*field :
       {&RouterAssumptions::initial_spread, &RouterAssumptions::gradient_noise,
        &RouterAssumptions::benefit, &RouterAssumptions::training_rate,
        &RouterAssumptions::forgetting_rate})
    for (const double factor : {0.5, 2.0}) {
      RouterTraining training = published(Balancing::none, 1, 32, 2);
      training.assumptions.*field *= factor;
      CHECK(max_over_mean(loads_after(training, 3000)) > 3.0);
      training.balancing = Balancing::bias;
      training.coefficient = published_coefficient(Balancing::bias);
      CHECK(max_over_mean(loads_after(training, 3000)) < 1.2);
      training.balancing = Balancing::auxiliary_loss;
      training.coefficient = published_coefficient(Balancing::auxiliary_loss);
      CHECK(max_over_mean(loads_after(training, 3000)) < 2.0);
    }
}
