#include "sim/study/cross_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace moesim {

namespace {

using Chosen = std::function<bool(const ValidationCase&)>;

/// Statistics of the steps that are chosen; nothing if none has a prediction.
std::optional<StepStatistics> statistics_of(const std::string& kind,
                                            const std::vector<ValidationCase>& steps,
                                            const std::vector<CaseResult>& results,
                                            const StepsInside& inside, const Chosen& chosen) {
  StepStatistics found{.kind = kind};
  std::map<std::string, std::size_t> cases_of_plan;
  std::set<std::string> folds;
  const auto counts = [&](std::size_t number) {
    return chosen(steps[number]) && !std::isnan(results[number].predicted);
  };
  for (std::size_t number = 0; number < steps.size(); ++number)
    if (counts(number)) {
      ++found.cases;
      ++cases_of_plan[steps[number].plan];
      folds.insert(steps[number].fold);
    }
  if (found.cases == 0)
    return std::nullopt;
  found.plans = cases_of_plan.size();
  found.folds = folds.size();
  std::vector<std::pair<double, double>> errors;
  for (std::size_t number = 0; number < steps.size(); ++number)
    if (counts(number)) {
      const double weight = 1.0 / static_cast<double>(cases_of_plan[steps[number].plan]);
      errors.emplace_back(too_fast_percent(steps[number], results[number].predicted), weight);
      if (inside[number].value_or(false))
        found.inside_percent += 100.0 * weight / static_cast<double>(found.plans);
    }
  found.bias_percent = weighted_percentile(errors, 0.5);
  for (auto& [error, weight] : errors)
    error = std::abs(error);
  found.median_percent = weighted_percentile(errors, 0.5);
  found.percentile_90_percent = weighted_percentile(errors, 0.9);
  return found;
}

void add(std::vector<StepStatistics>& all, const std::optional<StepStatistics>& found) {
  if (found)
    all.push_back(*found);
}

bool is_moe(const ValidationCase& step) {
  const auto* scenario = std::get_if<Scenario>(&step.scenario);
  return scenario && scenario->workload.model.is_moe();
}

bool is_over_efa(const ValidationCase& step) {
  const auto* scenario = std::get_if<Scenario>(&step.scenario);
  return scenario && scenario->topology.node.nic_interconnect == "efa";
}

} // namespace

double too_fast_percent(const ValidationCase& step, double predicted) {
  const bool time = step.quantity == step_time_quantity;
  return 100.0 * ((time ? step.measured / predicted : predicted / step.measured) - 1.0);
}

std::vector<StepStatistics> statistics_by_kind(const std::vector<ValidationCase>& steps,
                                               const std::vector<CaseResult>& results,
                                               const StepsInside& inside) {
  std::vector<StepStatistics> found;
  add(found, statistics_of("MoE", steps, results, inside, is_moe));
  add(found, statistics_of("MoE over EFA", steps, results, inside, [](const ValidationCase& step) {
        return is_moe(step) && is_over_efa(step);
      }));
  add(found,
      statistics_of("MoE over other networks", steps, results, inside,
                    [](const ValidationCase& step) { return is_moe(step) && !is_over_efa(step); }));
  add(found, statistics_of("dense", steps, results, inside,
                           [](const ValidationCase& step) { return !is_moe(step); }));
  add(found,
      statistics_of("all", steps, results, inside, [](const ValidationCase&) { return true; }));
  return found;
}

std::vector<StepStatistics> statistics_by_fold(const std::vector<ValidationCase>& steps,
                                               const std::vector<CaseResult>& results,
                                               const StepsInside& inside) {
  std::vector<StepStatistics> found;
  std::set<std::string> seen;
  for (const ValidationCase& step : steps)
    if (seen.insert(step.fold).second)
      add(found, statistics_of(step.fold, steps, results, inside, [&](const ValidationCase& other) {
            return other.fold == step.fold;
          }));
  return found;
}

double weighted_percentile(std::vector<std::pair<double, double>> values, double share) {
  std::sort(values.begin(), values.end());
  double total = 0.0;
  for (const auto& [value, weight] : values)
    total += weight;
  double sum = 0.0;
  for (const auto& [value, weight] : values) {
    sum += weight;
    if (sum >= share * total * (1.0 - 1e-12))
      return value;
  }
  return values.back().first;
}

} // namespace moesim
