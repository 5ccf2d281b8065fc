#include "sim/study/validation.hpp"

#include "sim/base/check.hpp"
#include "sim/study/child_process.hpp"
#include "sim/study/collective_study.hpp"
#include "sim/study/cost_library.hpp"
#include "sim/study/simulate.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace moesim {

namespace {

using nlohmann::json;

double predict_collective(const CollectiveScenario& scenario, const std::string& quantity,
                          const NetworkCost& network) {
  CollectiveWork work = scenario.work;
  work.bytes = scenario.sizes.front();
  const CollectiveResult result =
      replay_collective(work, scenario.plan, Topology(scenario.topology, scenario.plan.gpus),
                        scenario.fidelity, network);
  if (quantity == "algbw_gbyte_per_s")
    return result.algbw_gbyte_per_s;
  return quantity == "busbw_gbyte_per_s" ? result.busbw_gbyte_per_s : result.time.value * 1e6;
}

/// The status and the reason of a step, and the number in the column `quantity`; no number if the
/// status itself is asked for.
json predict_step(const Scenario& scenario, const std::string& quantity, const Costs& costs) {
  const StepResult result = simulate(scenario, costs, {}, twins_for(quantity)).result;
  if (quantity == status_quantity || result.status != "ok")
    return {result.status, result.reason, nullptr};
  for (const ResultColumn& column : result_columns())
    if (column.name == quantity)
      return {result.status, result.reason, result.*std::get<double StepResult::*>(column.member)};
  throw InternalError("no result column " + quantity);
}

CaseResult result_of(const ValidationCase& found, const ChildAnswer& answer) {
  if (!answer.ok)
    return {"failed", answer.text};
  const json values = json::parse(answer.text);
  if (found.quantity == status_quantity)
    return values[0] == found.measured_status ? CaseResult{"ok"} : CaseResult{"outside", values[1]};
  if (values[0] != "ok")
    return {values[0], values[1]};
  if (!values[2].is_number())
    return {"failed", "the result has no " + found.quantity};
  return compare(found, values[2]);
}

} // namespace

CaseResult compare(const ValidationCase& found, double predicted) {
  const double error = 100.0 * (predicted / found.measured - 1.0);
  return {std::abs(error) <= found.tolerance_percent ? "ok" : "outside", "", predicted, error};
}

std::vector<CaseResult> predict_cases(const std::vector<ValidationCase>& cases,
                                      const std::filesystem::path& calibration, std::size_t jobs) {
  const NetworkCost network = NetworkCost::load(calibration);
  CostLibrary costs(calibration);
  std::vector<CaseResult> results(cases.size());
  std::vector<ChildTask> tasks;
  for (std::size_t number = 0; number < cases.size(); ++number) {
    const ValidationCase& found = cases[number];
    if (const auto* collective = std::get_if<CollectiveScenario>(&found.scenario)) {
      tasks.push_back(
          {number, [collective, &found, &network] {
             return json{"ok", "", predict_collective(*collective, found.quantity, network)}.dump();
           }});
    } else if (const auto* step = std::get_if<Scenario>(&found.scenario)) {
      const Costs& step_costs = costs.of(step->topology);
      tasks.push_back({number, [step, &found, &step_costs] {
                         return predict_step(*step, found.quantity, step_costs).dump();
                       }});
    } else {
      results[number] = {"illegal", found.illegal_reason};
    }
  }
  run_in_children(tasks, jobs, [&](std::size_t number, const ChildAnswer& answer) {
    results[number] = result_of(cases[number], answer);
  });
  return results;
}

} // namespace moesim
