#include "sim/study/interval_fit.hpp"

#include "sim/report/csv_text.hpp"
#include "sim/study/cross_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace moesim {

namespace {

constexpr double nominal = 0.9;
/// The shares that are tried beyond each end, the largest first.
constexpr double tail_shares[] = {0.05, 0.04, 0.03, 0.025, 0.02, 0.015, 0.01, 0.005, 0.0};
/// A launch with fewer folds takes the residuals of all.
constexpr std::size_t folds_needed = 5;

/// A step that has a prediction.
struct Residual {
  std::size_t step = 0; ///< its number among all
  std::string fold;
  StepLaunch launch = StepLaunch::by_host;
  double log_ratio = 0.0; ///< logarithm of measured over predicted time
  double cost_error = 0.0;
  double weight = 0.0; ///< 1 over the cases of its plan
};

std::vector<Residual> residuals_of(const std::vector<ValidationCase>& steps,
                                   const std::vector<CaseResult>& results) {
  std::map<std::string, double> cases_of_plan;
  for (const ValidationCase& step : steps)
    cases_of_plan[step.plan] += 1.0;
  std::vector<Residual> residuals;
  for (std::size_t number = 0; number < steps.size(); ++number) {
    const ValidationCase& step = steps[number];
    const auto* scenario = std::get_if<Scenario>(&step.scenario);
    if (scenario && results[number].interval)
      residuals.push_back(
          {number, step.fold, launch_of(scenario->workload.graphs),
           std::log(1.0 + too_fast_percent(step, results[number].predicted) / 100.0),
           results[number].interval->cost_error_percent / 100.0, 1.0 / cases_of_plan[step.plan]});
  }
  if (residuals.empty())
    throw InputError({"the cases"}, "no training step has a prediction");
  return residuals;
}

/// The interval of a launch without a fold; all launches together if too few folds have it.
FittedInterval interval_of(const std::vector<Residual>& residuals, StepLaunch launch,
                           const std::string& left_out, double tail_share) {
  std::map<std::string, double> weight_of_fold;
  const auto collect = [&](bool of_all) {
    weight_of_fold.clear();
    for (const Residual& residual : residuals)
      if (residual.fold != left_out && (of_all || residual.launch == launch))
        weight_of_fold[residual.fold] += residual.weight;
    return weight_of_fold.size() >= folds_needed;
  };
  const bool of_all = !collect(false) && (collect(true), true);
  std::vector<std::pair<double, double>> ratios;
  std::vector<std::pair<double, double>> errors;
  for (const Residual& residual : residuals)
    if (residual.fold != left_out && (of_all || residual.launch == launch)) {
      const double weight = residual.weight / weight_of_fold[residual.fold];
      ratios.emplace_back(residual.log_ratio, weight);
      errors.emplace_back(residual.cost_error, weight);
    }
  FittedInterval found{launch, {}, ratios.size(), weight_of_fold.size()};
  if (ratios.empty())
    return found;
  found.interval.low_ratio =
      std::min(1.0, std::exp(weighted_percentile(ratios, std::max(tail_share, 1e-9))));
  found.interval.high_ratio =
      std::max(1.0, std::exp(weighted_percentile(ratios, 1.0 - tail_share)));
  found.interval.typical_cost_error = weighted_percentile(errors, 0.5);
  return found;
}

/// By residual, whether it is inside the interval that was made without its fold.
std::vector<bool> inside_others(const std::vector<Residual>& residuals, double tail_share) {
  std::map<std::pair<std::string, StepLaunch>, StepInterval> intervals;
  std::vector<bool> inside;
  for (const Residual& residual : residuals) {
    const auto [found, added] = intervals.try_emplace({residual.fold, residual.launch});
    if (added)
      found->second = interval_of(residuals, residual.launch, residual.fold, tail_share).interval;
    inside.push_back(residual.log_ratio >= std::log(found->second.low_ratio) &&
                     residual.log_ratio <= std::log(found->second.high_ratio));
  }
  return inside;
}

double share_of(const std::vector<bool>& inside, const std::vector<Residual>& residuals) {
  double sum = 0.0;
  double all = 0.0;
  for (std::size_t number = 0; number < residuals.size(); ++number) {
    all += residuals[number].weight;
    sum += inside[number] ? residuals[number].weight : 0.0;
  }
  return sum / all;
}

} // namespace

IntervalFit fit_intervals(const std::vector<ValidationCase>& steps,
                          const std::vector<CaseResult>& results) {
  const std::vector<Residual> residuals = residuals_of(steps, results);
  IntervalFit fit;
  std::vector<bool> inside;
  for (const double tail_share : tail_shares) {
    fit.tail_share = tail_share;
    inside = inside_others(residuals, tail_share);
    fit.coverage_percent = 100.0 * share_of(inside, residuals);
    if (fit.coverage_percent >= 100.0 * nominal)
      break;
  }
  fit.inside.resize(steps.size());
  for (std::size_t number = 0; number < residuals.size(); ++number)
    fit.inside[residuals[number].step] = inside[number];
  for (const StepLaunch launch : enumerators<StepLaunch>)
    fit.intervals[index(launch)] = interval_of(residuals, launch, "", fit.tail_share);
  return fit;
}

std::string intervals_csv(const IntervalFit& fit) {
  std::string text =
      "# Where published steps lie around predictions by constants fitted without their source:\n"
      "# measured over predicted time, by how the host starts the kernels. Written by\n"
      "# `moesim validate --cross --intervals`.\n"
      "launch,low_ratio,high_ratio,typical_cost_error_percent,steps,folds\n";
  for (const FittedInterval& found : fit.intervals)
    text += csv_line({name_of(step_launch_names, found.launch),
                      fmt::format("{:.3f}", found.interval.low_ratio),
                      fmt::format("{:.3f}", found.interval.high_ratio),
                      fmt::format("{:.1f}", 100.0 * found.interval.typical_cost_error),
                      std::to_string(found.steps), std::to_string(found.folds)}) +
            "\n";
  return text;
}

double inside_percent(const std::vector<ValidationCase>& steps,
                      const std::vector<CaseResult>& results) {
  std::map<std::string, double> cases_of_plan;
  for (std::size_t number = 0; number < steps.size(); ++number)
    if (results[number].interval)
      cases_of_plan[steps[number].plan] += 1.0;
  if (cases_of_plan.empty())
    return std::numeric_limits<double>::quiet_NaN();
  double inside = 0.0;
  for (std::size_t number = 0; number < steps.size(); ++number)
    if (const auto& interval = results[number].interval; interval &&
                                                         steps[number].measured >= interval->low &&
                                                         steps[number].measured <= interval->high)
      inside += 1.0 / cases_of_plan[steps[number].plan];
  return 100.0 * inside / static_cast<double>(cases_of_plan.size());
}

} // namespace moesim
