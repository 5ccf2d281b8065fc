#include "tests/property/case_count.hpp"
#include "tests/property/random_case.hpp"

#include "sim/search/step_replay.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

using namespace moesim;

namespace {

struct Pair {
  StepReplay folded;
  StepReplay flows;
  /// True if the folded replay really had fewer devices.
  bool was_folded() const { return folded.operations < flows.operations; }
  double error() const {
    return std::abs(folded.metrics.step_time / flows.metrics.step_time - 1.0);
  }
};

Pair replay_both(const RandomCase& drawn) {
  const Scenario scenario = scenario_of(drawn);
  const Topology topology(scenario.topology, scenario.workload.plan.gpus);
  const Costs& costs = costs_of(scenario);
  return {replay_step(scenario.workload, topology, Fidelity::folded, costs),
          replay_step(scenario.workload, topology, Fidelity::flows, costs)};
}

/// Checks that folding is exact over cases, and that at least `folded_min` of them were folded.
void check_exact(const std::vector<RandomCase>& all, std::size_t folded_min) {
  std::size_t folded = 0;
  for (const RandomCase& drawn : all) {
    INFO(drawn.text());
    const Pair pair = replay_both(drawn);
    CHECK_FALSE(pair.folded.approximate);
    CHECK(pair.error() < 1e-6);
    folded += pair.was_folded() ? 1 : 0;
  }
  CHECK(folded >= of_that_kind(folded_min));
}

} // namespace

TEST_CASE("a folded replay takes the time of the flows") {
  check_exact(random_cases(1000, 80, {{8, 16, 32, 64}, 3000}), 50);
}

TEST_CASE("a folded replay takes the time of the flows, on sizes that are no power of two") {
  check_exact(random_cases(2000, 80, {{24, 40, 48, 56}, 3000}), 25);
}

TEST_CASE("a folded replay takes the time of the flows, where nodes are partly empty") {
  check_exact(random_cases(3000, 80, {{12, 20, 28, 36, 44, 60}, 3000}), 10);
}

// Two nodes of 8 and 4 GPUs: expert groups sit alike, but the ring of the gradients leaves a node
// at few ranks only.
TEST_CASE("a data-parallel group over unlike nodes is not folded") {
  const RandomCase ragged{0,
                          "mixtral-8x7b",
                          {"cluster.topology=\"../../topologies/ethernet-100g.toml\"",
                           "cluster.gpus=12", "model.layers=2", "parallel.pipeline=1",
                           "parallel.expert=4", "training.sequence_length=512",
                           "training.global_batch=12"}};
  const Pair pair = replay_both(ragged);
  CHECK_FALSE(pair.was_folded());
  CHECK(pair.error() < 1e-6);
}

// The inverse weights of 32 ranks' flows, shared by 16 ranks on each leaf, once left a rounding
// rest in SimGrid's solver, which ended the process.
TEST_CASE("weights that add up with rounding are shared all the same") {
  const RandomCase drawn{
      0,
      "qwen3-30b-a3b",
      {"cluster.gpus=32", "cluster.nodes_per_leaf=2", "cluster.oversubscription=2",
       "model.layers=2", "model.experts=64", "parallel.pipeline=1", "parallel.expert=32",
       "training.sequence_length=1024", "training.micro_batch=2", "training.global_batch=64"}};
  check_exact({drawn}, 1);
}

// Stages of 4 nodes on leaves of 1, 2 and 3: the rings of gradients cross leaves, and so do some
// transfers between stages. Few classes of ranks are enough, as all flows of a ring go together.
TEST_CASE("rings that cross leaves are folded into few classes") {
  for (const char* leaf : {"1", "2", "3"}) {
    const RandomCase drawn{0,
                           "qwen3-30b-a3b",
                           {"cluster.topology=\"../../topologies/hgx-b300-xdr800.toml\"",
                            "cluster.gpus=64", fmt::format("cluster.nodes_per_leaf={}", leaf),
                            "model.layers=4", "model.experts=8", "parallel.pipeline=2",
                            "parallel.expert=8", "training.sequence_length=512",
                            "training.global_batch=64"}};
    INFO(drawn.text());
    const Pair pair = replay_both(drawn);
    CHECK(pair.error() < 1e-6);
    CHECK(pair.folded.operations * 6 <= pair.flows.operations);
  }
}

// Ranks at any position fold into classes. With too many classes, a stage is one device, its
// collectives take the time of their busiest links, and the result is marked as approximate.
TEST_CASE("beyond 64 GPUs folding is exact or marked as approximate") {
  std::size_t exact = 0;
  for (const RandomCase& drawn :
       random_cases(4000, 60, {{72, 88, 96, 112, 120, 128, 144, 176, 192, 240}, 4000})) {
    INFO(drawn.text());
    const Pair pair = replay_both(drawn);
    CHECK(pair.error() < (pair.folded.approximate ? 0.5 : 1e-6));
    exact += pair.folded.approximate ? 0 : 1;
  }
  CHECK(exact >= of_that_kind(55));
}
