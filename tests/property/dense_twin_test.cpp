#include "tests/property/random_case.hpp"

#include "sim/study/dense_twin.hpp"
#include "sim/study/simulate.hpp"
#include "tests/property/case_count.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <optional>

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

/// A case whose MoE layers have one expert, to search in a small space; nothing if shared experts
/// or biases keep them MoE layers.
std::optional<Scenario> with_one_expert(const RandomCase& drawn) {
  ScenarioInput input = input_of(drawn);
  ExpertSpec& experts = input.model.published.experts;
  if (input.model.published.family == "gpt_oss" || experts.expert_hidden == 0)
    return std::nullopt;
  experts.groups = experts.groups_per_token = 1;
  input.model.overrides.experts = input.model.overrides.experts_per_token = 1;
  input.model.overrides.shared_experts = 0;
  input.routing.written = {};
  input.graphs.reset();
  input.search = PlanChoices{};
  input.search->schedule = {&Schedule::one_forward_one_backward};
  input.search->virtual_stages = {1};
  input.search->recompute = {Recompute::none};
  return resolve_scenario(input);
}

} // namespace

TEST_CASE("one expert pays no tax: under best plans its step is within 1 % of its twins'") {
  std::uint64_t compared = 0;
  for (const RandomCase& drawn : random_cases(18'000, 16, {{8, 16}, 3000})) {
    INFO(drawn.text());
    const std::optional<Scenario> scenario = with_one_expert(drawn);
    if (!scenario)
      continue;
    const StepResult result = simulate(*scenario, costs_of(*scenario)).result;
    if (result.status != "ok")
      continue;
    CHECK(std::abs(result.moe_tax_percent) < 1.0);
    CHECK(result.dense_step_time_ms == result.active_dense_step_time_ms);
    CHECK(result.ideal_speedup == 1.0);
    ++compared;
  }
  CHECK(compared >= of_that_kind(8));
}

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
