#include "sim/routing/router_training.hpp"

#include "sim/base/check.hpp"
#include "tests/support/published_training.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

using namespace moesim;

namespace {

using Row = std::vector<double>;

const std::vector<Balancing> all_mechanisms = {Balancing::none, Balancing::auxiliary_loss,
                                               Balancing::z_loss, Balancing::bias,
                                               Balancing::expert_choice};

double sum(const Row& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// Two experts, one a token, one topic: logits ln 3 and 0, so that p = 3/4 and 1/4.
RouterState three_to_one() {
  return {0, {1.0}, {{std::log(3.0), 0.0}}, {{0.0, 0.0}}, {0.0, 0.0}};
}

RouterTraining two_experts(Balancing balancing) {
  RouterTraining training = published(balancing, 1, 2, 1);
  training.assumptions.topics = 1;
  return training;
}

} // namespace

// Both chances add up to 1 if the threshold is midway between the logits, ln 3 / 2 from each:
// 1 / (1 + exp(-ln 3 / 2)) = sqrt 3 / (1 + sqrt 3).
TEST_CASE("a router takes the experts whose score is above a threshold") {
  const Routing routing = route(two_experts(Balancing::none), three_to_one());
  const double root = std::sqrt(3.0);
  CHECK(routing.probability.front()[0] == Approx(0.75).epsilon(1e-12));
  CHECK(routing.log_sum.front() == Approx(std::log(4.0)).epsilon(1e-12));
  CHECK(routing.chance.front()[0] == Approx(root / (1.0 + root)).epsilon(1e-10));
  CHECK(routing.load[1] == Approx(1.0 / (1.0 + root)).epsilon(1e-10));
}

TEST_CASE("a token of every topic has k experts") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const RouterTraining training = published(Balancing::bias, seed);
    for (const Row& chances : route(training, state_after(training, 500)).chance) {
      CHECK(sum(chances) == Approx(6.0).epsilon(1e-12));
      CHECK(*std::max_element(chances.begin(), chances.end()) <= 1.0 + 1e-9);
    }
  }
}

// The load is 2 sqrt 3 / (1 + sqrt 3) of the mean for the first expert, 2 / (1 + sqrt 3) for the
// second, in all topics and in the only one: q = η m / (1 + η m + δ).
TEST_CASE("a busier expert trains faster") {
  const RouterTraining training = two_experts(Balancing::none);
  RouterState state = three_to_one();
  train_step(training, state);
  const double root = std::sqrt(3.0);
  const double busy = 0.005 * 2.0 * root / (1.0 + root);
  const double idle = 0.005 * 2.0 / (1.0 + root);
  CHECK(state.competence.front()[0] == Approx(busy / (1.0005 + busy)).epsilon(1e-10));
  CHECK(state.competence.front()[1] == Approx(idle / (1.0005 + idle)).epsilon(1e-10));
}

// Equal competence changes no logit; unequal competence, without noise, changes each by a full
// step.
TEST_CASE("a better expert is preferred more") {
  RouterTraining training = two_experts(Balancing::none);
  RouterState equal = three_to_one();
  equal.competence = {{0.5, 0.5}};
  train_step(training, equal);
  CHECK(equal.logits == three_to_one().logits);
  training.assumptions.gradient_noise = 0.0;
  RouterState unequal = three_to_one();
  unequal.competence = {{0.4, 0.5}};
  train_step(training, unequal);
  CHECK(unequal.logits.front()[0] == Approx(std::log(3.0) - 0.004).epsilon(1e-12));
  CHECK(unequal.logits.front()[1] == Approx(0.004).epsilon(1e-12));
}

// Σ p d = 0 with p = 3/4 and 1/4: d of the first is a third of the second's, of the other sign. d
// of the second: α (3/4 F₁ + 1/4 F₂ - F₂) = 3/4 α (F₁ - F₂), F₁ - F₂ = 2 (sqrt 3 - 1) / (1 + sqrt
// 3). If noise ν is much larger, a step is λ d sqrt(E p) / ν, with E p = 3/2 and 1/2.
TEST_CASE("the auxiliary loss descends its gradient through p alone") {
  RouterTraining training = two_experts(Balancing::auxiliary_loss);
  training.assumptions.gradient_noise = 1e3;
  RouterState state = three_to_one();
  train_step(training, state);
  const double root = std::sqrt(3.0);
  const double second = 0.75 * 0.01 * 2.0 * (root - 1.0) / (1.0 + root);
  const double unit = 0.004 / 1e3;
  CHECK(state.logits.front()[1] == Approx(unit * second * std::sqrt(0.5)).epsilon(1e-9));
  const double first = unit * -second / 3.0 * std::sqrt(1.5); // 4e-9 beside a logit of 1.1
  CHECK(state.logits.front()[0] - std::log(3.0) == Approx(first).epsilon(1e-6));
}

// d = -2 z ln 4 for both, and a step λ d sqrt(E p) / ν as above.
TEST_CASE("the z-loss descends the square of the logarithm of the sum") {
  RouterTraining training = two_experts(Balancing::z_loss);
  training.assumptions.gradient_noise = 1e3;
  RouterState state = three_to_one();
  train_step(training, state);
  const double expected = -0.004 / 1e3 * 2.0 * 0.001 * std::log(4.0) * std::sqrt(0.5);
  CHECK(state.logits.front()[1] == Approx(expected).epsilon(1e-9));
}

// 2 (3/4 3/4 + 1/4 1/4) = 5/4. Against the order nothing bounds it: 2 (1 0.1 + 0 0.9) = 0.2.
TEST_CASE("the auxiliary loss is at its minimum for uniform traffic") {
  CHECK(auxiliary_loss({0.75, 0.25}, {0.75, 0.25}) == 1.25);
  CHECK(auxiliary_loss({1.0, 0.0}, {0.1, 0.9}) == Approx(0.2));
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    RouterTraining training = published(Balancing::auxiliary_loss, seed);
    training.assumptions.topics = 1; // the busier expert then has the higher probability
    const Routing random = route(training, start_training(training));
    CHECK(auxiliary_loss(random.load, random.probability.front()) > 1.001);
    CHECK(auxiliary_loss(random.load, random.load) > 1.001);
    training.assumptions.initial_spread = 0.0;
    const Routing uniform = route(training, start_training(training));
    CHECK(auxiliary_loss(uniform.load, uniform.probability.front()) == Approx(1.0).epsilon(1e-12));
  }
}

// Logits 0 and 0, biases 0.1 and 0 of a score, 0.4 and 0 of a logit: the threshold is 0.2.
TEST_CASE("a bias counts when experts are selected, not in their probability") {
  RouterState state{0, {1.0}, {{0.0, 0.0}}, {{0.0, 0.0}}, {0.1, 0.0}};
  const Routing routing = route(two_experts(Balancing::bias), state);
  CHECK(routing.load[0] == Approx(1.0 / (1.0 + std::exp(-0.2))).epsilon(1e-10));
  CHECK(routing.probability.front() == Row{0.5, 0.5});
}

TEST_CASE("a bias update touches no weight") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const RouterTraining with = published(Balancing::bias, seed);
    RouterState biased = state_after(with, 200);
    RouterState plain = biased;
    const Row before = biased.bias;
    const Row load = route(with, biased).load;
    train_step(with, biased);
    RouterTraining without = with;
    without.coefficient = 0.0;
    train_step(without, plain);
    CHECK(biased.logits == plain.logits);
    CHECK(biased.competence == plain.competence);
    CHECK(plain.bias == before);
    for (std::size_t i = 0; i < load.size(); ++i)
      CHECK(biased.bias[i] == before[i] + (load[i] < 1.0 / 64.0 ? 0.001 : -0.001));
  }
}

TEST_CASE("expert choice is even whatever the logits are, and tokens have unequally many experts") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const RouterTraining training = published(Balancing::expert_choice, seed);
    const RouterState state = state_after(training, 1000);
    const Routing routing = route(training, state);
    CHECK(max_over_mean(routing.load) == Approx(1.0).epsilon(1e-12));
    Row experts_of_topic;
    double mean = 0.0;
    for (std::size_t topic = 0; topic < routing.chance.size(); ++topic) {
      experts_of_topic.push_back(sum(routing.chance[topic]));
      mean += state.topic_shares[topic] * experts_of_topic.back();
    }
    CHECK(mean == Approx(6.0).epsilon(1e-12));
    CHECK(max_over_mean(experts_of_topic) > 1.05);
    CHECK(max_over_mean(route(published(Balancing::none, seed), state).load) > 1.05);
  }
}

TEST_CASE("shares add up to 1 under every mechanism") {
  for (const Balancing balancing : all_mechanisms)
    for (const std::uint64_t seed : {1, 2, 3}) {
      RouterTraining training = published(balancing, seed, 32, 4);
      training.narrow_from_step = 60;
      training.experts_added_at = 80;
      training.experts_added = 4;
      for (const Row& loads : load_history(training, {0, 1, 59, 60, 80, 200})) {
        CHECK(sum(loads) == Approx(1.0).epsilon(1e-12));
        CHECK(*std::min_element(loads.begin(), loads.end()) >= 0.0);
      }
    }
}

TEST_CASE("the same seed gives the same loads, another seed others") {
  for (const Balancing balancing : all_mechanisms) {
    const auto first = load_history(published(balancing, 1), {0, 50, 100});
    CHECK(load_history(published(balancing, 1), {0, 50, 100}) == first);
    CHECK(loads_after(published(balancing, 1), 100) == first.back());
    CHECK(start_training(published(balancing, 2)).logits !=
          start_training(published(balancing, 1)).logits);
    if (balancing != Balancing::expert_choice) // it is even for all seeds
      CHECK(loads_after(published(balancing, 2), 100) != first.back());
  }
}

TEST_CASE("a router that is not described is refused") {
  CHECK_THROWS_AS(start_training(published(Balancing::none, 1, 4, 4)), InternalError);
  CHECK_THROWS_AS(load_history(published(Balancing::none, 1, 4, 1), {2, 1}), InternalError);
}
