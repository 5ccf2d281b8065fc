#include "tests/property/random_case.hpp"

#include "sim/study/dense_twin.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// The best step of a dense model in a scenario as it stands, with the MoE's own plan, dispatcher
/// and libraries still in it.
double step_time_ms_in(const Scenario& scenario, ModelSpec model) {
  PlanProblem problem{scenario.workload, dense_twin_problem(scenario).choices, scenario.topology,
                      scenario.fidelity};
  problem.base.model = std::move(model);
  problem.base.routing = {};
  const PlanSearch search = search_plans(problem, costs_of(scenario), 1);
  return search.best.empty() ? -1.0 : search.best.front().replay.metrics.step_time.value * 1e3;
}

double step_time_ms_of(const PlanProblem& problem, const Scenario& scenario) {
  const TwinAnswer answer = search_twin(problem, costs_of(scenario));
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
    CHECK(step_time_ms_of(dense_twin_problem(scenario), scenario) ==
          step_time_ms_in(scenario, dense_twin(model)));
    CHECK(step_time_ms_of(active_dense_twin_problem(scenario), scenario) ==
          step_time_ms_in(scenario, active_dense_twin(model)));
  }
}
