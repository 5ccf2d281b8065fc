#include "sim/app/commands.hpp"
#include "sim/app/cross_validation_output.hpp"

#include "sim/base/median.hpp"
#include "sim/base/output_file.hpp"
#include "sim/report/scatter_svg.hpp"
#include "sim/study/validation_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <thread>

namespace moesim {

namespace {

struct ValidateOptions {
  std::string cases;
  std::string plot;
  std::string summary;
  std::string orders;
  bool cross = false;
  std::string slopes;
  std::string present;
  std::string constants;
  std::string intervals;
  TableFormat format = TableFormat::table;
};

constexpr const char* validate_footer =
    "predicted_low, predicted_high: the 90 % interval of a training step.\n\n"
    "Columns of CASES: case, tier, scenario, quantity, measured, tolerance_percent, source, and\n"
    "optionally settings (assignments as of --set, separated by spaces), group and comparison. "
    "The\n"
    "scenario, a path relative to the file, is a training step with [model], whose quantity is a\n"
    "result column or status (measured: ok or out-of-memory), or a collective with [collective],\n"
    "whose quantity is time_us, algbw_gbyte_per_s or busbw_gbyte_per_s. A tiers.csv beside it\n"
    "(tier, median_tolerance_percent, p90_tolerance_percent, kendall_tau_min, why) bounds |error|\n"
    "of each tier, and how well predictions order the cases of each of its groups. Cases of a\n"
    "comparison are plans of one model on one cluster, with one batch, sequence, precision and\n"
    "software; they are ranked.\n\n"
    "Status: ok, outside (its tolerance), illegal, unreadable, out-of-memory, failed. Exit code 1\n"
    "if a case is not ok or a tier or a group is outside what is asked of it.";

std::string number_cell(double value, int digits) {
  return std::isnan(value) ? "" : fmt::format("{:.{}g}", value, digits);
}

ResultTable case_table(const ValidationSet& set, const std::vector<CaseResult>& results) {
  ResultTable table{{"case", "tier", "group", "quantity", "measured", "predicted", "error_percent",
                     "tolerance_percent", "status", "source", "predicted_low", "predicted_high"},
                    {}};
  constexpr int digits = 9;
  for (std::size_t number = 0; number < results.size(); ++number) {
    const ValidationCase& found = set.cases[number];
    const CaseResult& result = results[number];
    table.rows.push_back(
        {found.name, found.tier, found.group, found.quantity,
         found.measured_status.empty() ? number_cell(found.measured, digits)
                                       : found.measured_status,
         number_cell(result.predicted, digits),
         std::isnan(result.error_percent) ? "" : fmt::format("{:.2f}", result.error_percent),
         number_cell(found.tolerance_percent, digits), result.status, found.source,
         result.interval ? number_cell(result.interval->low, digits) : "",
         result.interval ? number_cell(result.interval->high, digits) : ""});
  }
  return table;
}

ResultTable summary_table(const std::vector<TierStatistics>& tiers) {
  ResultTable table{{"tier", "cases", "median_percent", "p90_percent", "holds"}, {}};
  const auto percent = [](double value) {
    return std::isnan(value) ? "" : fmt::format("{:.1f}", value);
  };
  for (const TierStatistics& tier : tiers)
    table.rows.push_back({tier.tier, std::to_string(tier.cases), percent(tier.median_percent),
                          percent(tier.percentile_90_percent), tier.tolerance.why});
  return table;
}

void print_tier(const TierStatistics& tier, bool cross) {
  std::cerr << fmt::format("{}: {} cases, {} not ok", tier.tier, tier.cases, tier.outside);
  if (!std::isnan(tier.median_percent))
    std::cerr << fmt::format("; |error| median {:.1f} %, 90th percentile {:.1f} %",
                             tier.median_percent, tier.percentile_90_percent);
  if (const auto limit = tier.tolerance.median_tolerance_percent)
    std::cerr << fmt::format("; tolerance of the median {:g} %", *limit);
  if (const auto limit = tier.tolerance.p90_tolerance_percent)
    std::cerr << fmt::format(", of the percentile {:g} %", *limit);
  std::cerr << (tier.passes() || cross ? "\n" : ": OUTSIDE\n");
}

void print_group(const GroupStatistics& group) {
  std::cerr << fmt::format("{}: {}: {} cases, {} plans", group.tier, group.group, group.cases,
                           group.plans);
  if (group.kendall_tau)
    std::cerr << fmt::format(", Kendall's tau {:.2f}", *group.kendall_tau);
  else
    std::cerr << ", no order: the measurements are all within 1 %";
  if (group.kendall_tau_min && group.is_judged())
    std::cerr << fmt::format("; at least {:g}", *group.kendall_tau_min);
  else if (!group.is_judged())
    std::cerr << "; too few plans to ask for an order";
  std::cerr << (group.passes() ? "\n" : ": OUTSIDE\n");
}

void print_order(const PlanOrder& order) {
  std::cerr << fmt::format("comparison: {}: {} plans", order.comparison, order.plans.size());
  if (order.kendall_tau)
    std::cerr << fmt::format(", Kendall's tau {:.2f}", *order.kendall_tau);
  std::cerr << fmt::format("; the fastest as measured is predicted rank {}\n",
                           order.predicted_rank_of_best());
}

ResultTable order_table(const std::vector<PlanOrder>& orders) {
  ResultTable table{
      {"comparison", "case", "measured", "predicted", "measured_rank", "predicted_rank"}, {}};
  for (const PlanOrder& order : orders)
    for (const RankedPlan& plan : order.plans)
      table.rows.push_back({order.comparison, plan.name, fmt::format("{:.1f}", plan.measured),
                            fmt::format("{:.1f}", plan.predicted),
                            std::to_string(plan.measured_rank),
                            std::to_string(plan.predicted_rank)});
  return table;
}

/// Plots predictions and measurements of the cases of tokens/s/GPU. The series of a case is the
/// last word of its fold, the GPU; without a fold that of its group, else its tier.
ScatterPlot throughput_plot(const ValidationSet& set, const std::vector<CaseResult>& results,
                            bool cross) {
  ScatterPlot plot{"", "tokens/s/GPU", {}};
  std::vector<double> errors;
  for (std::size_t number = 0; number < set.cases.size(); ++number) {
    const ValidationCase& found = set.cases[number];
    if (found.quantity != comparable_quantity || std::isnan(results[number].predicted))
      continue;
    const std::string& name = found.fold.empty() ? found.group : found.fold;
    const std::string series = name.empty() ? found.tier : name.substr(name.rfind(' ') + 1);
    plot.points.push_back({found.name, series, found.measured, results[number].predicted});
    errors.push_back(std::abs(results[number].error_percent));
  }
  plot.title = fmt::format("{} published steps", plot.points.size());
  if (cross)
    plot.title += ", predicted without their source";
  if (!errors.empty())
    plot.title += fmt::format(", median error {:.1f} %", median(errors));
  return plot;
}

/// The cases, each with its prediction; with --cross those that have a fold.
std::pair<ValidationSet, std::vector<CaseResult>> predicted_cases(const ValidateOptions& options,
                                                                  const AppContext& context) {
  ValidationSet set =
      read_validation(options.cases.empty() ? context.calibration / "reference/cases.csv"
                                            : std::filesystem::path(options.cases));
  const std::size_t jobs = std::max(1U, std::thread::hardware_concurrency());
  if (!options.cross)
    return {set, predict_cases(set.cases, context.calibration, jobs)};
  auto [steps, results] = cross_validate_and_print(
      set.cases,
      {options.slopes, options.present, options.constants, options.summary, options.intervals},
      context.calibration, jobs);
  return {{std::move(steps), {}}, std::move(results)};
}

void validate_and_print(const ValidateOptions& options, const AppContext& context) {
  const auto [set, results] = predicted_cases(options, context);
  std::cout << render(case_table(set, results), options.format) << std::flush;
  for (std::size_t number = 0; number < results.size(); ++number)
    if (!results[number].reason.empty())
      std::cerr << fmt::format("{}: {}: {}\n", set.cases[number].name, results[number].status,
                               results[number].reason);
  if (!options.plot.empty())
    write_file(options.plot, scatter_svg(throughput_plot(set, results, options.cross)));
  const std::vector<TierStatistics> tiers = tier_statistics(set, results);
  for (const TierStatistics& tier : tiers)
    print_tier(tier, options.cross);
  if (options.cross)
    return; // --summary holds its sources; tolerances are those of the constants of the tables
  if (!options.summary.empty())
    write_file(options.summary, render(summary_table(tiers), TableFormat::csv));
  const std::vector<GroupStatistics> groups = group_statistics(set, results);
  for (const GroupStatistics& group : groups)
    print_group(group);
  const std::vector<PlanOrder> orders = plan_orders(set, results);
  for (const PlanOrder& order : orders)
    print_order(order);
  if (!options.orders.empty())
    write_file(options.orders, render(order_table(orders), TableFormat::csv));
  const auto passes = [](const auto& statistics) { return statistics.passes(); };
  if (!std::all_of(tiers.begin(), tiers.end(), passes) ||
      !std::all_of(groups.begin(), groups.end(), passes))
    throw OutsideTolerance();
}

void add_cross_options(CLI::App& command, ValidateOptions& options) {
  CLI::Option* cross = command.add_flag(
      "--cross", options.cross,
      "Fit the constants of step_constants.csv again without each source of training steps, and\n"
      "predict its steps with them: the error that a cluster nobody measured may expect. "
      "--summary\n"
      "then holds a row for each source. Takes minutes, or seconds with known --slopes");
  command
      .add_option("--slopes", options.slopes,
                  "How the steps follow the constants: read if the file exists, else measured and\n"
                  "written")
      ->needs(cross)
      ->type_name("FILE.csv");
  command
      .add_option("--present", options.present,
                  "The cases as validate --format csv printed them: their predictions by the\n"
                  "constants as they are, which are not made again")
      ->needs(cross)
      ->check(CLI::ExistingFile)
      ->type_name("FILE.csv");
  command
      .add_option("--constants", options.constants,
                  "Also write the constants as fitted, and their spread over the sources")
      ->needs(cross)
      ->type_name("FILE.csv");
  command
      .add_option("--intervals", options.intervals,
                  "Also write the 90 % intervals of step times that the errors give")
      ->needs(cross)
      ->type_name("FILE.csv");
}

} // namespace

void add_validate_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* command = app.add_subcommand(
      "validate", "Predict published measurements and compare; how far off each tier of them is");
  command
      ->add_option("--cases", options->cases,
                   "Measurements (default: reference/cases.csv of the calibration folder)")
      ->type_name("FILE.csv");
  command
      ->add_option("--plot", options->plot,
                   "Also draw predicted against measured tokens/s/GPU of the training steps")
      ->type_name("FILE.svg");
  command->add_option("--summary", options->summary, "Also write a row for each tier: |error| in %")
      ->type_name("FILE.csv");
  command
      ->add_option(
          "--orders", options->orders,
          "Also write the plans of each comparison with their measured and predicted ranks")
      ->type_name("FILE.csv");
  add_cross_options(*command, *options);
  add_format_option(*command, options->format);
  command->footer(validate_footer);
  command->callback([options, &context] { validate_and_print(*options, context); });
}

} // namespace moesim
