#include "sim/app/commands.hpp"

#include "sim/study/validation.hpp"

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
  TableFormat format = TableFormat::table;
};

constexpr const char* footer =
    "Columns of CASES: case, tier, scenario, quantity, measured, tolerance_percent, source, and\n"
    "optionally settings (assignments as of --set, separated by spaces). The scenario, a path\n"
    "relative to the file, is a training step with [model], whose quantity is a result column, or\n"
    "a collective with [collective], whose quantity is time_us, algbw_gbyte_per_s or\n"
    "busbw_gbyte_per_s. A tiers.csv beside it (tier, median_tolerance_percent, why) bounds the\n"
    "median of each tier.\n\n"
    "Status: ok, outside (its tolerance), illegal, out-of-memory, failed. Exit code 1 if a case "
    "is\n"
    "not ok or a tier's median is above its tolerance.";

std::string number_cell(double value, int digits) {
  return std::isnan(value) ? "" : fmt::format("{:.{}g}", value, digits);
}

ResultTable case_table(const ValidationSet& set, const std::vector<CaseResult>& results) {
  ResultTable table{{"case", "tier", "quantity", "measured", "predicted", "error_percent",
                     "tolerance_percent", "status", "source"},
                    {}};
  constexpr int digits = 9;
  for (std::size_t number = 0; number < results.size(); ++number) {
    const ValidationCase& found = set.cases[number];
    const CaseResult& result = results[number];
    table.rows.push_back(
        {found.name, found.tier, found.quantity, number_cell(found.measured, digits),
         number_cell(result.predicted, digits),
         std::isnan(result.error_percent) ? "" : fmt::format("{:.2f}", result.error_percent),
         number_cell(found.tolerance_percent, digits), result.status, found.source});
  }
  return table;
}

void print_tier(const TierStatistics& tier) {
  std::cerr << fmt::format("{}: {} cases, {} not ok", tier.tier, tier.cases, tier.outside);
  if (!std::isnan(tier.median_percent))
    std::cerr << fmt::format("; |error| median {:.1f} %, 90th percentile {:.1f} %",
                             tier.median_percent, tier.percentile_90_percent);
  if (tier.median_tolerance_percent)
    std::cerr << fmt::format("; tolerance of the median {:g} %", *tier.median_tolerance_percent);
  std::cerr << (tier.passes() ? "\n" : ": OUTSIDE\n");
}

void validate_and_print(const ValidateOptions& options, const AppContext& context) {
  const ValidationSet set =
      read_validation(options.cases.empty() ? context.calibration / "reference/cases.csv"
                                            : std::filesystem::path(options.cases));
  const std::size_t jobs = std::max(1U, std::thread::hardware_concurrency());
  const std::vector<CaseResult> results = predict_cases(set.cases, context.calibration, jobs);
  std::cout << render(case_table(set, results), options.format) << std::flush;
  for (std::size_t number = 0; number < results.size(); ++number)
    if (!results[number].reason.empty())
      std::cerr << fmt::format("{}: {}: {}\n", set.cases[number].name, results[number].status,
                               results[number].reason);
  const std::vector<TierStatistics> tiers = tier_statistics(set, results);
  for (const TierStatistics& tier : tiers)
    print_tier(tier);
  if (!std::all_of(tiers.begin(), tiers.end(), [](const auto& tier) { return tier.passes(); }))
    throw OutsideTolerance();
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
  add_format_option(*command, options->format);
  command->footer(footer);
  command->callback([options, &context] { validate_and_print(*options, context); });
}

} // namespace moesim
