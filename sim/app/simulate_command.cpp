#include "sim/app/commands.hpp"

#include "sim/base/output_file.hpp"
#include "sim/report/link_report.hpp"
#include "sim/report/trace_report.hpp"
#include "sim/study/simulate.hpp"
#include "sim/study/sweep_plan.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string_view>

namespace moesim {

namespace {

struct SimulateOptions {
  std::string scenario;
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
  std::string trace;
  std::string links;
  bool no_twins = false;
};

std::string columns_help() {
  std::string text = "Columns of the result:\n";
  for (const ResultColumn& column : result_columns())
    text += fmt::format("  {:<28} {}\n", column.name, column.description);
  return text;
}

/// The result as one row: status, reason, the keys that were set, the columns.
ResultTable as_row(const StepResult& result, const std::vector<std::string>& settings) {
  ResultTable table{{"status", "reason"}, {{result.status, result.reason}}};
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    table.columns.push_back(setting.substr(0, equals));
    table.rows.front().push_back(setting.substr(equals + 1));
  }
  for (const ResultColumn& column : result_columns()) {
    table.columns.emplace_back(column.name);
    table.rows.front().push_back(cell_text(result, column));
  }
  return table;
}

/// The columns with long text, for people below the others: lists of costs, and the plan.
struct LongColumn {
  std::string_view column;
  std::string StepResult::*text;
};
constexpr std::array long_columns = {
    LongColumn{"extrapolated_costs", &StepResult::extrapolated_costs},
    LongColumn{"stand_ins", &StepResult::stand_ins}, LongColumn{"plan", &StepResult::plan}};

bool is_long(const ResultColumn& column) {
  return std::any_of(long_columns.begin(), long_columns.end(),
                     [&](const LongColumn& list) { return list.column == column.name; });
}

/// The result for people: a line for each column, with its meaning.
ResultTable as_lines(const Prediction& prediction) {
  const StepResult& result = prediction.result;
  ResultTable table{{"column", "value", "meaning"}, {}};
  table.rows.push_back({"status", result.status, result.reason});
  for (const ResultColumn& column : result_columns())
    if (const std::string cell = cell_text(result, column); !cell.empty() && !is_long(column))
      table.rows.push_back({column.name, cell, column.description});
  if (!result.bottleneck.empty())
    table.rows.push_back({"bottleneck_use_percent",
                          fmt::format("{:.1f}", prediction.bottleneck_use_percent),
                          "busy share of the step of that resource"});
  return table;
}

/// The warning above the numbers; empty if most costs were measured.
std::string banner(const Prediction& prediction) {
  constexpr double worth_saying = 0.1;
  if (prediction.extrapolated_share <= worth_saying)
    return "";
  const StepResult& result = prediction.result;
  const double half_width = 0.5 * (result.step_time_high_ms - result.step_time_low_ms);
  return fmt::format(
      "NOTE: {:.0f} % of the step time rests on extrapolated kernel costs. It may be "
      "off by {:.0f} % (90 % confidence):\nsee extrapolated_costs below, and "
      "calibration/REPORT.md.\n\n",
      100.0 * prediction.extrapolated_share, 100.0 * half_width / result.step_time_ms);
}

/// Text of the lists of costs that are not empty: the name, and a line for each cost.
std::string long_lines(const StepResult& result) {
  std::string text;
  for (const auto& [column, member] : long_columns) {
    if ((result.*member).empty())
      continue;
    text += fmt::format("\n{}\n  ", column);
    for (const char letter : result.*member)
      text += letter == ';' ? "\n " : std::string(1, letter);
    text += "\n";
  }
  return text;
}

/// The assignments of a plan, one by one; values hold no spaces.
std::set<std::string> assignments(const std::string& plan) {
  std::istringstream text(plan);
  return {std::istream_iterator<std::string>(text), {}};
}

/// The fastest plans of a search: their times, and of all but the first the settings that differ
/// from it. "" for a fixed plan.
std::string best_plan_lines(const std::vector<PlanRank>& plans) {
  if (plans.empty())
    return "";
  const std::set<std::string> best = assignments(plans.front().plan);
  std::string text = "\nbest plans (ms, and the settings that differ from the best)\n";
  for (const PlanRank& plan : plans) {
    std::vector<std::string> other;
    for (const std::string& setting : assignments(plan.plan))
      if (!best.contains(setting))
        other.push_back(setting);
    text += fmt::format("  {:<14.9g} {}\n", plan.step_time_ms,
                        other.empty() ? "the best" : fmt::format("{}", fmt::join(other, " ")));
  }
  return text;
}

/// Throws InputError before the step is simulated rather than after. Leaves no file behind that was
/// not there, and one that was as it is: the step may never run.
void check_writable(const std::string& file) {
  if (file.empty())
    return;
  std::error_code error;
  const bool existed = exists(std::filesystem::symlink_status(file, error));
  const int descriptor = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0)
    throw cannot_be_written(file, errno);
  close(descriptor);
  if (!existed)
    std::filesystem::remove(file);
}

/// Lets `write` fill a file, if the user asked for it. Throws InputError if the disk is full.
void write_output(const std::string& file, const std::function<void(std::ostream&)>& write) {
  if (file.empty())
    return;
  std::ostringstream text;
  write(text);
  write_file(file, text.str());
}

/// Writes the files that the user asked for, if any.
TimelineObserver observer_of(const SimulateOptions& options) {
  check_writable(options.trace);
  check_writable(options.links);
  return [&options](const StepGraph& graph, const Timeline& timeline) {
    write_output(options.trace,
                 [&](std::ostream& stream) { write_trace(graph, timeline, stream); });
    write_output(options.links, [&](std::ostream& stream) {
      stream << render(link_table(link_utilisation(timeline)), TableFormat::csv);
    });
  };
}

/// Notes the files that were not written because nothing was replayed.
void note_unwritten(const SimulateOptions& options, const Prediction& prediction) {
  if (prediction.result.status == "ok")
    return;
  for (const std::string& file : {options.trace, options.links})
    if (!file.empty())
      std::cerr << fmt::format("{}: not written, as the step did not run\n", file);
}

void print_diagnostics(const Prediction& prediction,
                       const std::function<bool(const std::string&)>& wanted) {
  for (const auto& [name, value] : prediction.diagnostics)
    if (wanted(name))
      std::cerr << fmt::format("{}: {}\n", name, value);
}

/// Prints the result to stdout. JSON includes the diagnostics, which else go to stderr;
/// a warning always does.
void print_prediction(const SimulateOptions& options, const Prediction& prediction) {
  if (options.format == TableFormat::json) {
    std::cout << render_record(as_row(prediction.result, options.settings), prediction.diagnostics);
    print_diagnostics(prediction, [](const std::string& name) { return name == warning_name; });
    return;
  }
  std::cout << (options.format == TableFormat::table
                    ? banner(prediction) + render(as_lines(prediction), options.format) +
                          long_lines(prediction.result) + best_plan_lines(prediction.best_plans)
                    : render(as_row(prediction.result, options.settings), options.format));
  print_diagnostics(prediction, [](const std::string&) { return true; });
}

void simulate_and_print(const SimulateOptions& options, const AppContext& context) {
  const Scenario scenario = read_scenario(options.scenario, options.settings);
  expect_no_input("--trace", options.trace, input_files(scenario));
  expect_no_input("--links", options.links, input_files(scenario));
  const Costs costs =
      load_costs(context.calibration, scenario.topology, scenario.workload.training);
  const auto begin = std::chrono::steady_clock::now();
  const Prediction prediction = simulate(scenario, costs, observer_of(options),
                                         options.no_twins ? Twins::skip : Twins::search);
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - begin;
  note_unwritten(options, prediction);
  print_prediction(options, prediction);
  // Not part of the diagnostics, so that a result has the same bytes in every run.
  std::cerr << fmt::format("simulation_wall_ms: {:.1f}\n", wall.count());
}

} // namespace

void add_simulate_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<SimulateOptions>();
  CLI::App* command =
      app.add_subcommand("simulate", "Replay one training step and print its result");
  command->add_option("scenario", options->scenario, "Scenario file (TOML): model, cluster, plan")
      ->type_name("SCENARIO.toml")
      ->required();
  add_settings_option(*command, options->settings);
  add_format_option(*command, options->format);
  command
      ->add_option("--trace", options->trace,
                   "Write the step as Chrome trace JSON (opens in Perfetto)")
      ->type_name("FILE");
  command
      ->add_option("--links", options->links,
                   "Write how full the links are over the step as CSV: for each hundredth of the "
                   "step and each class of links (NIC egress, leaf uplink, ...) the mean over its "
                   "links, the busiest link and its use, in percent of the capacity. Tells which "
                   "network to make faster, and when in the step it is full")
      ->type_name("FILE.csv");
  command->add_flag("--no-twins", options->no_twins,
                    "Do not search the best plans of the dense twins: much faster, without the "
                    "columns that compare with them");
  command->footer(columns_help());
  command->callback([options, &context] { simulate_and_print(*options, context); });
}

} // namespace moesim
