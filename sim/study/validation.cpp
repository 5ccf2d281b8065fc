#include "sim/study/validation.hpp"

#include "sim/base/check.hpp"
#include "sim/calibrate/median.hpp"
#include "sim/study/child_process.hpp"
#include "sim/study/collective_study.hpp"
#include "sim/study/cost_library.hpp"
#include "sim/study/simulate.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
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

/// The status and the reason of a step, and the number in the column `quantity`.
json predict_step(const Scenario& scenario, const std::string& quantity, const Costs& costs) {
  const StepResult result = simulate(scenario, costs, {}, twins_for(quantity)).result;
  if (result.status != "ok")
    return {result.status, result.reason, 0.0};
  for (const ResultColumn& column : result_columns())
    if (column.name == quantity)
      return {result.status, result.reason, result.*std::get<double StepResult::*>(column.member)};
  throw InternalError("no result column " + quantity);
}

CaseResult result_of(const ValidationCase& found, const ChildAnswer& answer) {
  if (!answer.ok)
    return {"failed", answer.text};
  const json values = json::parse(answer.text);
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

bool TierStatistics::passes() const {
  return outside == 0 && (!median_tolerance_percent || median_percent <= *median_tolerance_percent);
}

std::vector<TierStatistics> tier_statistics(const ValidationSet& set,
                                            const std::vector<CaseResult>& results) {
  std::vector<TierStatistics> tiers;
  std::vector<std::vector<double>> errors;
  for (std::size_t number = 0; number < set.cases.size(); ++number) {
    const std::string& tier = set.cases[number].tier;
    const auto known = std::find_if(tiers.begin(), tiers.end(),
                                    [&](const auto& other) { return other.tier == tier; });
    const auto place = static_cast<std::size_t>(known - tiers.begin());
    if (known == tiers.end()) {
      tiers.emplace_back().tier = tier;
      errors.emplace_back();
    }
    ++tiers[place].cases;
    tiers[place].outside += results[number].status == "ok" ? 0 : 1;
    if (!std::isnan(results[number].error_percent))
      errors[place].push_back(std::abs(results[number].error_percent));
  }
  for (std::size_t place = 0; place < tiers.size(); ++place) {
    for (const TierTolerance& limit : set.tiers)
      if (limit.tier == tiers[place].tier)
        tiers[place].median_tolerance_percent = limit.median_tolerance_percent;
    std::vector<double>& sorted = errors[place];
    if (sorted.empty())
      continue;
    std::sort(sorted.begin(), sorted.end());
    tiers[place].median_percent = median(sorted);
    tiers[place].percentile_90_percent = sorted[(9 * sorted.size() + 9) / 10 - 1];
  }
  return tiers;
}

} // namespace moesim
