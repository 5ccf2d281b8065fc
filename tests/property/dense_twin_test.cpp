#include "tests/property/random_case.hpp"

#include "sim/study/dense_twin.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// The best step of a dense model in a scenario as it stands, with the MoE's own plan, dispatcher
/// and libraries still in it.
double step_time_ms_in(const Scenario& scenario, ModelSpec model, const Topology& topology) {
  Workload workload = scenario.workload;
  workload.model = std::move(model);
  workload.routing = {};
  const auto best = best_dense_plan(workload, topology, scenario.fidelity, costs_of(scenario));
  return best ? best->replay.metrics.step_time.value * 1e3 : -1.0;
}

double step_time_ms_of(const TwinProblem& problem, const Scenario& scenario) {
  const Topology topology(problem.topology, problem.workload.plan.gpus);
  const TwinAnswer answer = search_twin(problem, topology, costs_of(scenario));
  return std::isnan(answer.step_time_ms) ? -1.0 : answer.step_time_ms;
}

} // namespace

TEST_CASE("a twin's problem leaves out nothing that its best step depends on") {
  for (const RandomCase& drawn : random_cases(17'000, 24, {{8, 16, 32}, 3000})) {
    INFO(drawn.text());
    const Scenario scenario = scenario_of(drawn);
    const ModelSpec& model = scenario.workload.model;
    if (!model.is_moe())
      continue;
    const Topology topology(scenario.topology, scenario.workload.plan.gpus);
    CHECK(step_time_ms_of(dense_twin_problem(scenario), scenario) ==
          step_time_ms_in(scenario, dense_twin(model), topology));
    CHECK(step_time_ms_of(active_dense_twin_problem(scenario), scenario) ==
          step_time_ms_in(scenario, active_dense_twin(model), topology));
  }
}
