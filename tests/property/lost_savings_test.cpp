#include "tests/property/random_case.hpp"

#include "sim/study/simulate.hpp"
#include "tests/property/case_count.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <string>

using namespace moesim;

namespace {

/// A case whose GPUs have memory for any plan; under an even seed its experts' loads are uneven.
Scenario with_room(const RandomCase& drawn) {
  ScenarioInput input = input_of(drawn);
  input.cluster.topology.written.gpu.memory = Bytes{1LL << 50};
  RoutingSpec& routing = input.routing.written;
  if (drawn.seed % 2 == 0) {
    routing.load = LoadKind::zipf;
    routing.zipf_alpha = 1.0;
  }
  return resolve_scenario(input);
}

/// The dense twin under the scenario's own plan: any twin will do.
TwinAnswer twin_of(const Scenario& scenario) {
  Workload workload = scenario.workload;
  workload.model = dense_twin(workload.model);
  workload.plan.expert = 1;
  workload.plan.expert_tensor = 1;
  workload.plan.overlap_batches = false;
  workload.routing = {};
  const Topology topology(scenario.topology, workload.plan.gpus);
  const StepMetrics metrics =
      replay_step(workload, topology, scenario.fidelity, costs_of(scenario)).metrics;
  return {metrics.step_time.value * 1e3, metrics.waterfall, "", ""};
}

/// The sum of the columns lost_*_percent.
double lost_points(const StepResult& result) {
  double sum = 0.0;
  for (const ResultColumn& column : result_columns())
    if (std::string(column.name).starts_with("lost_"))
      sum += result.*std::get<double StepResult::*>(column.member);
  return sum;
}

} // namespace

TEST_CASE("the terms of the lost saving add up to it") {
  std::uint64_t compared = 0;
  std::uint64_t between_domains = 0;
  std::uint64_t uneven = 0;
  for (const RandomCase& drawn : random_cases(23'000, 240, {{16, 32, 64}, 3000})) {
    INFO(drawn.text());
    const Scenario scenario = with_room(drawn);
    if (!scenario.workload.model.is_moe())
      continue;
    StepResult result = simulate(scenario, costs_of(scenario), {}, Twins::later).result;
    const TwinAnswer twin = twin_of(scenario);
    compare_with_twins(scenario, twin, twin, result);
    if (std::isnan(result.savings_kept_percent)) { // nothing to save: every expert is active
      CHECK(std::isnan(lost_points(result)));
      continue;
    }
    CHECK(lost_points(result) == Approx(100.0 - result.savings_kept_percent).margin(1e-6));
    ++compared;
    between_domains += result.lost_ep_scale_out_percent > 0.0 ? 1 : 0;
    uneven += result.lost_imbalance_percent > 0.0 ? 1 : 0;
  }
  CHECK(compared >= of_that_kind(100));
  CHECK(between_domains >= of_that_kind(5));
  CHECK(uneven >= of_that_kind(20));
}
