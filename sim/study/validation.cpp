#include "sim/study/validation.hpp"

#include "sim/base/check.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/search/child_process.hpp"
#include "sim/study/collective_study.hpp"
#include "sim/study/cost_library.hpp"
#include "sim/study/simulate.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <map>
#include <utility>

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

/// A step to predict, and the cases that it answers: their `numbers`, in the order of the file.
struct PlannedStep {
  const Scenario* scenario = nullptr;
  std::vector<std::size_t> numbers;
};

/// The distinct steps of the cases: each plan once for cases with the same twins.
std::vector<PlannedStep> planned_steps(const std::vector<ValidationCase>& cases) {
  std::vector<PlannedStep> steps;
  std::map<std::pair<std::string, Twins>, std::size_t> step_of;
  for (std::size_t number = 0; number < cases.size(); ++number) {
    const auto* scenario = std::get_if<Scenario>(&cases[number].scenario);
    if (!scenario)
      continue;
    const auto [step, added] =
        step_of.try_emplace({cases[number].plan, twins_for(cases[number].quantity)}, steps.size());
    if (added)
      steps.push_back({scenario, {}});
    steps[step->second].numbers.push_back(number);
  }
  return steps;
}

double column_of(const StepResult& result, const std::string& quantity) {
  for (const ResultColumn& column : result_columns())
    if (column.name == quantity)
      return result.*std::get<double StepResult::*>(column.member);
  throw InternalError("no result column " + quantity);
}

/// Predicts a step: status, reason and, if it ran, the numbers of its cases.
json predict_step(const PlannedStep& step, const std::vector<ValidationCase>& cases,
                  const Costs& costs) {
  const Twins twins = twins_for(cases[step.numbers.front()].quantity);
  const StepResult result = simulate(*step.scenario, costs, {}, twins).result;
  json numbers = json::object();
  for (const std::size_t number : step.numbers)
    if (const std::string& quantity = cases[number].quantity;
        result.status == "ok" && quantity != status_quantity)
      numbers[quantity] = column_of(result, quantity);
  return {result.status,
          result.reason,
          numbers,
          {result.step_time_low_ms / result.step_time_ms,
           result.step_time_high_ms / result.step_time_ms, result.cost_error_percent}};
}

/// The interval of a step's time or throughput from the ratios of the time's ends to the time.
std::optional<CaseInterval> interval_of(const ValidationCase& found, double predicted,
                                        const json& ends) {
  const double low = ends[0];
  const double high = ends[1];
  if (found.quantity == step_time_quantity)
    return CaseInterval{predicted * low, predicted * high, ends[2]};
  if (found.quantity == comparable_quantity)
    return CaseInterval{predicted / high, predicted / low, ends[2]};
  return std::nullopt;
}

CaseResult result_of(const ValidationCase& found, const ChildAnswer& answer) {
  if (!answer.ok)
    return {"failed", answer.text};
  const json values = json::parse(answer.text);
  if (found.quantity == status_quantity)
    return values[0] == found.measured_status ? CaseResult{"ok"} : CaseResult{"outside", values[1]};
  if (values[0] != "ok")
    return {values[0], values[1]};
  const json& number = values[2][found.quantity];
  if (!number.is_number())
    return {"failed", "the result has no " + found.quantity};
  CaseResult result = compare(found, number);
  if (values.size() > 3)
    result.interval = interval_of(found, number, values[3]);
  return result;
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
  const std::vector<PlannedStep> steps = planned_steps(cases);
  for (std::size_t place = 0; place < steps.size(); ++place) {
    const Scenario& scenario = *steps[place].scenario;
    const Costs& step_costs = costs.of(scenario.topology, scenario.workload.training);
    tasks.push_back({place, [&steps, place, &cases, &step_costs] {
                       return predict_step(steps[place], cases, step_costs).dump();
                     }});
  }
  for (std::size_t number = 0; number < cases.size(); ++number) {
    const ValidationCase& found = cases[number];
    if (const auto* collective = std::get_if<CollectiveScenario>(&found.scenario))
      tasks.push_back({steps.size() + number, [collective, &found, &network] {
                         const double predicted =
                             predict_collective(*collective, found.quantity, network);
                         return json{"ok", "", {{found.quantity, predicted}}}.dump();
                       }});
    else if (std::holds_alternative<std::monostate>(found.scenario))
      results[number] = {found.failure.status, found.failure.reason};
  }
  run_in_children(tasks, jobs, [&](std::size_t task, const ChildAnswer& answer) {
    if (task >= steps.size()) {
      const std::size_t number = task - steps.size();
      results[number] = result_of(cases[number], answer);
      return;
    }
    for (const std::size_t number : steps[task].numbers)
      results[number] = result_of(cases[number], answer);
  });
  return results;
}

std::vector<double> read_predictions(const std::filesystem::path& file,
                                     const std::vector<ValidationCase>& cases) {
  const CsvTable table = CsvTable::read(file);
  std::map<std::string, double> predicted;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::size_t column = table.column("predicted");
    predicted[table.text(row, table.column("case"))] =
        table.text(row, column).empty() ? std::nan("") : table.number(row, column);
  }
  std::vector<double> found;
  for (const ValidationCase& each : cases) {
    const auto row = predicted.find(each.name);
    if (row == predicted.end())
      throw InputError({file.string()}, fmt::format("has no prediction of {}", each.name),
                       "write it again with validate --format csv");
    found.push_back(row->second);
  }
  return found;
}

} // namespace moesim
