#include "sim/app/cross_validation_output.hpp"

#include "sim/base/output_file.hpp"
#include "sim/study/cross_statistics.hpp"
#include "sim/study/cross_validation.hpp"
#include "sim/study/interval_fit.hpp"

#include <fmt/format.h>

#include <iostream>

namespace moesim {

namespace {

void show_progress(const std::string& what, std::size_t done, std::size_t all) {
  std::cerr << fmt::format("cross-validation: {} ({} of {})\n", what, done + 1, all);
}

StepSlopes slopes_of(const std::vector<ValidationCase>& cases, const CrossOptions& options,
                     const std::filesystem::path& calibration, std::size_t jobs) {
  const std::vector<StepConstant> constants = read_step_constants(calibration);
  if (!options.slopes.empty() && std::filesystem::exists(options.slopes))
    return StepSlopes::read(options.slopes, constants);
  const StepSlopes slopes = measure_slopes(cases, calibration, jobs, show_progress);
  if (!options.slopes.empty())
    write_file(options.slopes, slopes.text(constants));
  return slopes;
}

ResultTable constant_table(const std::vector<FittedConstant>& constants) {
  ResultTable table{{"constant", "value", "fitted", "fold_least", "fold_most", "prior",
                     "prior_percent", "steps", "folds"},
                    {}};
  const auto number = [](double value) { return fmt::format("{:.3g}", value); };
  for (const FittedConstant& found : constants)
    table.rows.push_back({found.constant.name, number(found.constant.value), number(found.fitted),
                          number(found.least), number(found.most), number(found.constant.prior),
                          number(100.0 * found.constant.prior_spread), std::to_string(found.steps),
                          std::to_string(found.folds)});
  return table;
}

ResultTable statistics_table(const std::vector<StepStatistics>& all) {
  ResultTable table{{"steps", "cases", "plans", "folds", "median_percent", "p90_percent",
                     "bias_percent", "inside_percent"},
                    {}};
  for (const StepStatistics& found : all)
    table.rows.push_back({found.kind, std::to_string(found.cases), std::to_string(found.plans),
                          std::to_string(found.folds), fmt::format("{:.1f}", found.median_percent),
                          fmt::format("{:.1f}", found.percentile_90_percent),
                          fmt::format("{:.1f}", found.bias_percent),
                          fmt::format("{:.0f}", found.inside_percent)});
  return table;
}

} // namespace

std::pair<std::vector<ValidationCase>, std::vector<CaseResult>>
cross_validate_and_print(const std::vector<ValidationCase>& cases, const CrossOptions& options,
                         const std::filesystem::path& calibration, std::size_t jobs) {
  const StepSlopes slopes = slopes_of(cases, options, calibration, jobs);
  CrossValidation found =
      cross_validate(cases, slopes, options.present, calibration, jobs, show_progress);
  const ResultTable constants = constant_table(found.constants);
  const IntervalFit intervals = fit_intervals(found.steps, found.results);
  std::vector<StepStatistics> statistics =
      statistics_by_fold(found.steps, found.results, intervals.inside);
  for (const StepStatistics& kind :
       statistics_by_kind(found.steps, found.results, intervals.inside))
    statistics.push_back(kind);
  const ResultTable summary = statistics_table(statistics);
  std::cerr << "Constants fitted to published steps, and over the fits without one source each:\n"
            << render(constants, TableFormat::table)
            << "Each source predicted by constants fitted without it; a plan counts once, a\n"
               "positive bias is too fast:\n"
            << render(summary, TableFormat::table);
  std::cerr << fmt::format("90 % intervals: {:.1f} % of the plans lie inside those made without "
                           "their source ({:g} % of the sources beyond each end)\n",
                           intervals.coverage_percent, 100.0 * intervals.tail_share)
            << intervals_csv(intervals);
  if (!options.intervals.empty())
    write_file(options.intervals, intervals_csv(intervals));
  if (!options.constants.empty())
    write_file(options.constants, render(constants, TableFormat::csv));
  if (!options.summary.empty())
    write_file(options.summary, render(summary, TableFormat::csv));
  return {std::move(found.steps), std::move(found.results)};
}

} // namespace moesim
