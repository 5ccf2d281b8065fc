#include "sim/study/cross_validation.hpp"

#include "sim/input/csv_table.hpp"
#include "sim/report/csv_text.hpp"
#include "sim/study/cross_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The change of a constant that measures its slopes.
constexpr double probe_factor = 0.95;
/// The slope from which on a step counts as one that a constant moves.
constexpr double moved_slope = 0.02;

std::vector<ValidationCase> cases_with_fold(const std::vector<ValidationCase>& cases) {
  std::vector<ValidationCase> found;
  std::copy_if(cases.begin(), cases.end(), std::back_inserter(found),
               [](const ValidationCase& each) { return !each.fold.empty(); });
  if (found.empty())
    throw InputError({"the cases"}, "no case names its source in a column fold");
  return found;
}

/// log(predicted / measured time); NaN without a prediction.
double log_error(const ValidationCase& step, double predicted) {
  return -std::log(1.0 + too_fast_percent(step, predicted) / 100.0);
}

std::vector<double> predictions_of(const std::vector<CaseResult>& results) {
  std::vector<double> predictions;
  for (const CaseResult& result : results)
    predictions.push_back(result.predicted);
  return predictions;
}

std::vector<CaseResult> predict_changed(const std::vector<ValidationCase>& cases,
                                        const fs::path& calibration,
                                        const std::vector<StepConstant>& constants,
                                        const std::vector<double>& factors, std::size_t jobs) {
  const ChangedCalibration changed(calibration, constants, factors);
  return predict_cases(cases, changed.path(), jobs);
}

std::vector<FactorPrior> priors_of(const std::vector<StepConstant>& constants) {
  std::vector<FactorPrior> priors;
  for (const StepConstant& constant : constants)
    priors.push_back({std::log(constant.prior / constant.value), constant.prior_spread,
                      std::log(constant.most / constant.value)});
  return priors;
}

std::vector<double> exponentials(std::vector<double> logs) {
  for (double& value : logs)
    value = std::exp(value);
  return logs;
}

/// The steps that have a prediction at the present constants.
std::vector<LinearStep> linear_steps(const std::vector<ValidationCase>& steps,
                                     const std::vector<double>& predictions,
                                     const StepSlopes& slopes, std::size_t constants) {
  std::vector<LinearStep> linear;
  for (std::size_t number = 0; number < steps.size(); ++number)
    if (!std::isnan(predictions[number]))
      linear.push_back({steps[number].fold, steps[number].plan,
                        log_error(steps[number], predictions[number]),
                        slopes.of(steps[number].name, constants)});
  return linear;
}

std::vector<FittedConstant> fitted_constants(const std::vector<StepConstant>& constants,
                                             const std::vector<LinearStep>& steps,
                                             const std::vector<double>& factors) {
  std::vector<FittedConstant> fitted;
  for (std::size_t number = 0; number < constants.size(); ++number) {
    const double value = constants[number].value * factors[number];
    FittedConstant found{constants[number], value, value, value};
    std::set<std::string> folds;
    for (const LinearStep& step : steps)
      if (std::abs(step.slopes[number]) > moved_slope) {
        ++found.steps;
        folds.insert(step.fold);
      }
    found.folds = folds.size();
    fitted.push_back(std::move(found));
  }
  return fitted;
}

} // namespace

StepSlopes StepSlopes::read(const fs::path& file, const std::vector<StepConstant>& constants) {
  const CsvTable table = CsvTable::read(file);
  std::vector<std::string> columns = {"case"};
  for (const StepConstant& constant : constants)
    columns.push_back(constant.name);
  table.expect_columns(columns);
  StepSlopes slopes;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    std::vector<double> found;
    for (const StepConstant& constant : constants)
      found.push_back(table.number(row, table.column(constant.name)));
    slopes.set(table.text(row, table.column("case")), std::move(found));
  }
  return slopes;
}

std::string StepSlopes::text(const std::vector<StepConstant>& constants) const {
  std::vector<std::string> cells = {"case"};
  for (const StepConstant& constant : constants)
    cells.push_back(constant.name);
  std::string text = csv_line(cells) + "\n";
  for (const auto& [name, slopes] : slopes_) {
    cells = {name};
    for (const double slope : slopes)
      cells.push_back(std::abs(slope) < 5e-4 ? "0" : fmt::format("{:.3f}", slope));
    text += csv_line(cells) + "\n";
  }
  return text;
}

std::vector<double> StepSlopes::of(const std::string& name, std::size_t constants) const {
  const auto found = slopes_.find(name);
  return found == slopes_.end() ? std::vector<double>(constants, 0.0) : found->second;
}

StepSlopes measure_slopes(const std::vector<ValidationCase>& cases, const fs::path& calibration,
                          std::size_t jobs, const CrossProgress& progress) {
  const std::vector<ValidationCase> steps = cases_with_fold(cases);
  const std::vector<StepConstant> constants = read_step_constants(calibration);
  const std::vector<CaseResult> present = predict_cases(steps, calibration, jobs);
  std::vector<std::vector<double>> slopes(steps.size());
  for (std::size_t number = 0; number < constants.size(); ++number) {
    progress("slopes of " + constants[number].name, number, constants.size());
    std::vector<double> factors(constants.size(), 1.0);
    factors[number] = probe_factor;
    const std::vector<CaseResult> changed =
        predict_changed(steps, calibration, constants, factors, jobs);
    for (std::size_t step = 0; step < steps.size(); ++step) {
      const double moved = log_error(steps[step], changed[step].predicted) -
                           log_error(steps[step], present[step].predicted);
      slopes[step].push_back(std::isnan(moved) ? 0.0 : moved / std::log(probe_factor));
    }
  }
  StepSlopes found;
  for (std::size_t step = 0; step < steps.size(); ++step)
    found.set(steps[step].name, slopes[step]);
  return found;
}

CrossValidation cross_validate(const std::vector<ValidationCase>& cases, const StepSlopes& slopes,
                               const fs::path& present, const fs::path& calibration,
                               std::size_t jobs, const CrossProgress& progress) {
  CrossValidation found{cases_with_fold(cases), {}, {}};
  const std::vector<StepConstant> constants = read_step_constants(calibration);
  const std::vector<FactorPrior> priors = priors_of(constants);
  const std::vector<LinearStep> steps =
      linear_steps(found.steps,
                   present.empty() ? predictions_of(predict_cases(found.steps, calibration, jobs))
                                   : read_predictions(present, found.steps),
                   slopes, constants.size());
  found.constants =
      fitted_constants(constants, steps, exponentials(fit_log_factors(steps, priors)));
  found.results.resize(found.steps.size());
  std::set<std::string> folds;
  for (const ValidationCase& step : found.steps)
    folds.insert(step.fold);
  std::size_t done = 0;
  for (const std::string& fold : folds) {
    progress("without " + fold, done++, folds.size());
    const std::vector<double> factors = exponentials(fit_log_factors(steps, priors, fold));
    for (std::size_t number = 0; number < constants.size(); ++number) {
      FittedConstant& constant = found.constants[number];
      const double value = constant.constant.value * factors[number];
      constant.least = std::min(constant.least, value);
      constant.most = std::max(constant.most, value);
    }
    std::vector<ValidationCase> left_out;
    std::vector<std::size_t> numbers;
    for (std::size_t number = 0; number < found.steps.size(); ++number)
      if (found.steps[number].fold == fold) {
        left_out.push_back(found.steps[number]);
        numbers.push_back(number);
      }
    const std::vector<CaseResult> results =
        predict_changed(left_out, calibration, constants, factors, jobs);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      found.results[numbers[i]] = results[i];
  }
  return found;
}

} // namespace moesim
