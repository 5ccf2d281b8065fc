#include "tests/property/case_count.hpp"
#include "tests/property/random_cluster.hpp"

#include "sim/search/child_process.hpp"
#include "sim/study/collective_study.hpp"
#include "tests/support/calibration.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace moesim;

namespace {

ParallelPlan one_group(std::int64_t gpus) {
  ParallelPlan plan;
  plan.gpus = gpus;
  plan.expert = gpus;
  return plan;
}

double seconds(const RandomCollective& drawn, Fidelity fidelity, const NetworkCost& network) {
  const Topology topology(drawn.cluster, drawn.gpus);
  return std::stod(run_in_child([&] {
    const auto result =
        replay_collective(drawn.work, one_group(drawn.gpus), topology, fidelity, network);
    return std::to_string(result.time.value * 1e12);
  }));
}

void check_ranks(std::uint64_t first_seed, std::uint64_t count,
                 const std::vector<std::int64_t>& sizes, const Skew& skew) {
  const NetworkCost network = NetworkCost::load(calibration_folder);
  for (std::uint64_t seed = first_seed; seed < first_seed + cases(count); ++seed) {
    RandomCollective drawn = random_collective(seed, sizes);
    skew_loads(drawn, skew);
    INFO(drawn.text());
    const double flows = seconds(drawn, Fidelity::flows, network);
    const double ranks = seconds(drawn, Fidelity::ranks, network);
    CHECK(std::abs(ranks / flows - 1.0) < 0.02);
  }
}

} // namespace

TEST_CASE("folded collectives take the time of the flows, on every fabric") {
  const NetworkCost network = NetworkCost::load(calibration_folder);
  for (std::uint64_t seed = 1; seed < 1 + cases(250); ++seed) {
    const RandomCollective drawn = random_collective(seed, {4, 8, 12, 16, 24, 32, 40, 48, 56, 64});
    INFO(drawn.text());
    const double flows = seconds(drawn, Fidelity::flows, network);
    CHECK(std::abs(seconds(drawn, Fidelity::folded, network) / flows - 1.0) < 1e-6);
  }
}

TEST_CASE("ranks agree with flows under skewed loads") {
  check_ranks(5000, 191, {8, 12, 16, 16, 24, 32, 32, 48}, {.noise = 0.3});
}

TEST_CASE("ranks agree with flows under skewed loads, up to 128 GPUs") {
  check_ranks(5200, 9, {64, 96, 128}, {.noise = 0.3, .octaves = true});
}

TEST_CASE("faster links never slow a collective") {
  const NetworkCost network = NetworkCost::load(calibration_folder);
  const auto faster = [](BytesPerSecond& rate) { rate = rate * 1.7; };
  std::size_t improved = 0;
  for (std::uint64_t seed = 8000; seed < 8000 + cases(80); ++seed) {
    RandomCollective drawn = random_collective(seed, {8, 16, 24, 32, 64});
    INFO(drawn.text());
    const double before = seconds(drawn, Fidelity::folded, network);
    NodeSpec& node = drawn.cluster.node;
    FabricSpec& fabric = drawn.cluster.fabric;
    const std::vector<std::vector<BytesPerSecond*>> tiers = {
        {&node.scale_up},
        {&node.nic},
        {&node.pcie},
        {&fabric.local_link, &fabric.global_link, &fabric.torus_link}};
    for (BytesPerSecond* rate : tiers[seed % tiers.size()])
      faster(*rate);
    const double after = seconds(drawn, Fidelity::folded, network);
    CHECK(after <= before * (1.0 + 1e-6)); // the solver's precision
    improved += after < before * 0.999 ? 1 : 0;
  }
  CHECK(improved >= of_that_kind(11));
}
