#include "sim/study/imbalance.hpp"

#include "sim/study/simulate.hpp"
#include "tests/support/stage_view.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace moesim;

namespace {

const std::filesystem::path source = MOESIM_SOURCE_DIR;

/// Two layers of Mixtral on 8 GPUs, one expert a rank, 4 micro-batches.
Scenario two_layers(std::vector<std::string> settings) {
  settings.insert(settings.begin(), {"model.layers=2", "cluster.gpus=8", "parallel.pipeline=1",
                                     "parallel.expert=8", "training.global_batch=32"});
  return read_scenario(source / "workloads/mixtral-8x7b/scenario.toml", settings);
}

const std::vector<std::string> hot_rank = {"routing.load=hot-rank", "routing.hot_load=2.0"};

Costs costs_of(const Scenario& scenario) {
  return load_costs(source / "calibration", scenario.topology, scenario.workload.training);
}

/// All computes of a stage, forward and backward.
Seconds computes(const Scenario& scenario, const Costs& costs) {
  const StageView work = stage_work(scenario.workload, 0);
  Seconds sum;
  for (const auto* segments : {&work.forward, &work.backward})
    for (const SeenSegment& segment : *segments)
      if (const auto* compute = std::get_if<SeenCompute>(&segment.work))
        for (const Kernel& kernel : compute->kernels)
          sum += costs.compute.time(kernel).time;
  return sum;
}

} // namespace

// One of 8 experts with twice the mean, the others with 6/7: a mean of 1, a variance of
// (1 + 7/49) / 8 = 1/7; differences of 8/7 in 14 of 64 ordered pairs: 16 / (2 x 8 x 8) = 1/8.
TEST_CASE("the columns of unevenness are those of the most uneven layer") {
  const Scenario scenario = two_layers(hot_rank);
  StepResult result;
  fill_routing(scenario.workload, ExpertLoads(scenario.workload), result);
  CHECK(result.load_max_over_mean == Approx(2.0));
  CHECK(result.rank_load_max_over_mean == Approx(2.0));
  CHECK(result.load_gini == Approx(0.125).epsilon(2e-3)); // whole tokens
  CHECK(result.load_coefficient_of_variation == Approx(std::sqrt(1.0 / 7)).epsilon(1e-3));
  CHECK(result.dropped_tokens_percent == 0.0);
}

TEST_CASE("stragglers cost what the busiest rank computes beyond the mean") {
  const Scenario uneven = two_layers(hot_rank);
  const Scenario even = two_layers({});
  const Costs costs = costs_of(uneven);
  const Seconds wait = straggler_time(uneven.workload, ExpertLoads(uneven.workload), costs.compute);
  const Seconds more = 4.0 * (computes(uneven, costs) - computes(even, costs));
  CHECK(wait / more == Approx(1.0).epsilon(1e-9));
}

TEST_CASE("a step's imbalance is that of its experts and that of its all-to-all") {
  const Scenario scenario = two_layers(hot_rank);
  const Costs costs = costs_of(scenario);
  const StepResult uneven = simulate(scenario, costs).result;
  const StepResult even = simulate(two_layers({}), costs).result;
  CHECK(uneven.imbalance_ms == Approx(uneven.step_time_ms - even.step_time_ms).epsilon(1e-6));
  CHECK(uneven.imbalance_gemm_ms > 0.0);
  CHECK(uneven.imbalance_all_to_all_ms > 0.0);
  CHECK(uneven.imbalance_gemm_ms + uneven.imbalance_all_to_all_ms ==
        Approx(uneven.imbalance_ms).epsilon(1e-12));
  // Experts start together and each layer waits for the busiest.
  CHECK(uneven.imbalance_gemm_ms == Approx(uneven.straggler_ms).epsilon(1e-6));
  // Ranks are devices here: the parts are those of the critical one.
  CHECK(uneven.attention_ms + uneven.router_ms + uneven.feed_forward_ms + uneven.head_ms ==
        Approx(uneven.compute_ms).epsilon(1e-9));
  CHECK(even.imbalance_ms == 0.0);
  CHECK(even.straggler_ms == 0.0);
}

// 1,024 GPUs are too many classes of ranks for an exact replay of uneven loads: 4 % are in
// quadrature with the errors of costs.
TEST_CASE("an approximate replay says so, and is in the interval") {
  const auto result_of = [](const std::string& load) {
    const Scenario scenario = read_scenario(
        source / "workloads/qwen3-235b-a22b/scenario.toml",
        {"model.layers=2", "cluster.gpus=1024", "parallel.pipeline=2", "parallel.expert=16",
         "parallel.tensor=1", "training.global_batch=1024", "routing.load=" + load});
    return simulate(scenario, costs_of(scenario), {}, Twins::skip).result;
  };
  CHECK(result_of("uniform").folding == "exact");
  const StepResult random = result_of("random");
  CHECK(random.folding == "approximate");
  CHECK(random.cost_error_percent > 4.0);
}
