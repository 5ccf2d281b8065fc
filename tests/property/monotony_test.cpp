#include "tests/property/case_count.hpp"
#include "tests/property/random_case.hpp"

#include "sim/search/step_replay.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <functional>

using namespace moesim;

namespace {

Seconds step_time(const ScenarioInput& input) {
  const Scenario scenario = resolve_scenario(input);
  const Topology topology(scenario.topology, scenario.workload.plan.gpus);
  return replay_step(scenario.workload, topology, Fidelity::folded, costs_of(scenario))
      .metrics.step_time;
}

using Change = std::function<void(TopologySpec&)>; // as it is written

/// Checks that no case is slower with a better topology, and that some are faster.
void check_never_slower(
    std::uint64_t seed, const Change& improve, const Change& prepare = [](TopologySpec&) {}) {
  std::size_t faster = 0;
  for (const RandomCase& drawn : random_cases(seed, 40, {{8, 16, 32, 64}, 6000})) {
    INFO(drawn.text());
    ScenarioInput input = input_of(drawn);
    prepare(input.cluster.topology.written);
    const Seconds before = step_time(input);
    improve(input.cluster.topology.written);
    const Seconds after = step_time(input);
    CHECK(after <= before * (1.0 + 1e-9));
    faster += after < before ? 1 : 0;
  }
  CHECK(faster >= of_that_kind(1));
}

} // namespace

TEST_CASE("faster NICs never slow a step") {
  check_never_slower(10'000, [](TopologySpec& spec) { spec.node.nic = spec.node.nic * 1.7; });
}

TEST_CASE("a faster scale-up network never slows a step") {
  check_never_slower(11'000,
                     [](TopologySpec& spec) { spec.node.scale_up = spec.node.scale_up * 1.7; });
}

// PCIe of the shipped topologies is faster than their NICs; here it starts from less.
TEST_CASE("faster PCIe never slows a step") {
  check_never_slower(
      12'000, [](TopologySpec& spec) { spec.node.pcie = spec.node.pcie * 1.7; },
      [](TopologySpec& spec) { spec.node.pcie = spec.node.nic * 0.2; });
}

TEST_CASE("less oversubscription never slows a step") {
  check_never_slower(13'000, [](TopologySpec& spec) { spec.fabric.oversubscription = 1.0; });
}

TEST_CASE("faster device memory never slows a step") {
  check_never_slower(14'000, [](TopologySpec& spec) {
    spec.gpu.memory_bandwidth = spec.gpu.memory_bandwidth * 1.7;
  });
}

TEST_CASE("shorter latencies never slow a step") {
  check_never_slower(15'000, [](TopologySpec& spec) {
    spec.node.scale_up_latency = {};
    spec.node.nic_latency = {};
    spec.fabric.switch_latency = {};
  });
}

// A fault: the first GPU of the job computes at half its speed.
TEST_CASE("a slowed GPU slows the whole step") {
  for (const RandomCase& drawn : random_cases(16'000, 12, {{8, 16, 32}, 3000})) {
    INFO(drawn.text());
    RandomCase slowed = drawn;
    slowed.settings.push_back("cluster.fault=[{gpu=\"Node[0].Gpu[0]\", capacity_share=0.5}]");
    const Seconds whole = step_time(input_of(drawn));
    CHECK(step_time(input_of(slowed)).value > whole.value * 1.001);
  }
}

// All messages of a GPU whose NIC is gone take one other NIC of its node: both GPUs then have half
// of one.
TEST_CASE("a NIC that is gone costs as much as one at half speed, or more") {
  const auto time_with = [](const std::string& fault, const std::string& plan) {
    return step_time(parse_scenario(
        std::filesystem::path(MOESIM_SOURCE_DIR) / "workloads/mixtral-8x7b/scenario.toml",
        {"cluster.fault=[" + fault + "]", "cluster.gpus=64", "training.global_batch=128", plan}));
  };
  for (const char* plan : {"parallel.pipeline=4", "parallel.pipeline=1"}) {
    INFO(plan);
    const Seconds whole = time_with("", plan);
    const Seconds half = time_with("{nic=\"Node[0].Nic[1]\", capacity_share=0.5}", plan);
    const Seconds gone = time_with("{nic=\"Node[0].Nic[1]\"}", plan);
    CHECK(half > whole * 1.01);
    CHECK(gone >= half);
    CHECK(gone <= half * 1.01);
  }
}
