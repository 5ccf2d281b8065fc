#include "sim/app/commands.hpp"
#include "sim/app/decision_output.hpp"

#include "sim/study/column_condition.hpp"
#include "sim/study/sweep_sensitivity.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct SensitivityOptions {
  std::string scenario;
  std::string column = "step_time_ms";
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
  bool replan = false;
  std::string folder;
};

constexpr const char* sensitivity_footer =
    "Each row is one constant of the costs, changed alone by its own error at a confidence of\n"
    "90 % (error_percent; 10 % where the calibration knows none), and the step replayed: low and\n"
    "high are the column with the constant at the lower and at the upper end of its error,\n"
    "effect_percent the larger of both changes. Constants are\n"
    "  the scalars of calibration/compute_constants.csv, sustained throughput, times of the host;\n"
    "  the rate of each network curve (calibration/network_startup.csv has their errors);\n"
    "  each kernel table, all of its times changed by the error of each (calibration/REPORT.md).\n"
    "Constants that leave the column as it is have no row. After the table, stderr says what to\n"
    "measure before signing: the benchmark of the largest effects. Put its files into\n"
    "moesim calibrate, and ask again under --calibration.\n\n"
    "provenance: measured, fitted, published, datasheet or assumption (calibration/README.md).\n\n"
    "  moesim sensitivity workloads/mixtral-8x7b/scenario.toml\n"
    "  moesim sensitivity workloads/mixtral-8x7b/scenario.toml --column savings_kept_percent";

ResultTable sensitivity_table(const SensitivityTable& found) {
  ResultTable table{{"constant", "provenance", "error_percent", "low", "high", "effect_percent"},
                    {}};
  for (const Sensitivity& row : found.rows)
    table.rows.push_back({row.constant, row.provenance, fmt::format("{:.3g}", row.error_percent),
                          fmt::format("{:.9g}", row.low), fmt::format("{:.9g}", row.high),
                          fmt::format("{:.4g}", row.effect_percent)});
  return table;
}

/// The measurements that would narrow the answer most, one line each.
void print_advice(const SensitivityTable& found) {
  constexpr std::size_t measured_first = 3;
  if (found.rows.empty())
    return;
  std::cerr << "measure before signing:\n";
  for (std::size_t row = 0; row < std::min(measured_first, found.rows.size()); ++row) {
    const Sensitivity& top = found.rows[row];
    std::cerr << fmt::format("  {}. {} ({:.3g} % of the column): {}\n", row + 1, top.constant,
                             top.effect_percent, top.measurement);
  }
}

void measure_and_print(const SensitivityOptions& options, const AppContext& context) {
  const ResultColumn& column = result_column(options.column, "--column");
  const bool shown = isatty(STDERR_FILENO) == 1;
  const Scenario scenario = read_scenario(options.scenario, options.settings);
  const SensitivityTable found = measure_sensitivity(
      scenario, column, context.calibration, cost_levers(context.calibration, scenario),
      options.replan ? Replanning::search : Replanning::keep,
      [&](std::size_t done, std::size_t all) {
        if (shown)
          std::cerr << fmt::format("\r{}/{} constants{}", done, all, done == all ? "\n" : "");
      });
  std::cout << render(sensitivity_table(found), options.format);
  std::cerr << fmt::format("{} = {:.9g} as the constants are; {} constants leave it so\nplan: {}\n",
                           column.name, found.base, found.without_effect, found.plan);
  if (scenario.search && !options.replan)
    std::cerr << "under this plan throughout: --replan searches the best one for each change\n";
  print_advice(found);
  const ReportTable rows = sensitivity_rows(found, column.name);
  write_decision(options.folder,
                 {{rows.columns, rows.rows},
                  fmt::format("{}: what to measure before signing", options.scenario),
                  {options.scenario},
                  {fmt::format("Plan: {}", found.plan)}},
                 context);
}

} // namespace

void add_sensitivity_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<SensitivityOptions>();
  CLI::App* command = app.add_subcommand(
      "sensitivity", "Effect of each constant's own error on a step, the largest first");
  command->add_option("scenario", options->scenario, "Scenario file (TOML)")
      ->type_name("SCENARIO.toml")
      ->required();
  command
      ->add_option("--column", options->column,
                   "Result column (default: step_time_ms); one that compares with the dense twins "
                   "searches their plans anew for each change")
      ->type_name("C");
  command->add_flag("--replan", options->replan,
                    "With parallel.search = \"best\": search the best plan again for each change "
                    "(slow); else the plan is the best one of the constants as they are");
  add_settings_option(*command, options->settings);
  add_format_option(*command, options->format);
  add_decision_folder(*command, options->folder);
  command->footer(sensitivity_footer);
  command->callback([options, &context] { measure_and_print(*options, context); });
}

} // namespace moesim
