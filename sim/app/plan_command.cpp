#include "sim/app/commands.hpp"
#include "sim/app/progress.hpp"
#include "sim/study/plan_row.hpp"
#include "sim/study/plan_study.hpp"
#include "sim/study/sweep_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <thread>

namespace moesim {

namespace {

struct PlanCommandOptions {
  std::string plan;
  std::string folder;
  std::size_t jobs = 0;
  bool restart = false;
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
};

std::string plan_help() {
  std::string text =
      "The plan file (all keys: workloads/PLAN.md):\n"
      "  [model]                     as in a scenario\n"
      "  config = \"config.json\"\n"
      "  [training]                  as in a scenario, and:\n"
      "  sequence_length = 4096\n"
      "  global_batch_tokens = 62914560   # or global_batch, in sequences\n"
      "  tokens = 14.8e12            to train in all\n"
      "  deadline_days = 60          optional\n"
      "  [parallel]                  optional: a value fixes a key, a list gives choices, a key\n"
      "  tensor = [1, 2, 4]          that is left out is searched\n"
      "  [[candidate]]               a cluster; its other keys override the topology\n"
      "  topology = \"../../topologies/hgx-h100-ndr400.toml\"\n"
      "  gpus = [1024, 2048]         one number or several\n"
      "  price_per_gpu_hour = 2.0    or capital (of the whole cluster), years, "
      "power_price_per_kwh\n\n"
      "results.csv: status, reason, candidate, cluster.topology, cluster.gpus, the columns of\n"
      "`moesim simulate` (their interval is that of the step, not widened), then:\n";
  for (const PlanColumn& column : plan_columns())
    text += fmt::format("  {:<22} {}\n", column.name, column.description);
  return text;
}

void plan_and_print(const PlanCommandOptions& command, const AppContext& context) {
  const PlanFile file = read_plan_file(command.plan, command.settings);
  SweepOptions options;
  options.folder = command.folder;
  options.calibration = context.calibration;
  options.version = version_text();
  options.jobs =
      command.jobs > 0 ? command.jobs : std::max(1U, std::thread::hardware_concurrency());
  options.twins = false; // days and cost need none
  options.plans = plans_shown;
  options.restart = command.restart;
  ProgressBar bar;
  const ReportTable results =
      run_plan(file, options, [&](const SweepProgress& progress) { bar.show(progress); });
  const ReportOrigin origin =
      sweep_origin(file.sweep, results, context.command_line, version_text());
  write_origin(options.folder, origin);
  const auto report = write_report(options.folder, {results}, origin, context.assets);
  std::cout << render(plan_summary(results), command.format) << std::flush;
  std::cerr << fmt::format("energy: board power x {} for the node x {} for network, cooling and "
                           "losses (an assumption)\nresults: {}\nreport: {}\n",
                           node_power_ratio, site_power_ratio,
                           (options.folder / "results.csv").string(), report.string());
  expect_no_failure(results);
}

} // namespace

void add_plan_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<PlanCommandOptions>();
  CLI::App* command = app.add_subcommand(
      "plan",
      "For each candidate cluster, the best plan to train a model on it, and its days, cost and "
      "energy with their intervals; which meet the deadline, which are on the Pareto front of cost "
      "against time, and what stops the others. Writes results.csv and report.html. Run again on "
      "the same folder, it goes on where it stopped.");
  command->add_option("plan", options->plan, "Plan file (TOML): a model, tokens, candidates")
      ->type_name("PLAN.toml")
      ->required();
  command->add_option("--out", options->folder, "Folder for the results")
      ->type_name("DIR")
      ->required();
  command->add_option("--jobs", options->jobs, "Processes at a time (default: one for each core)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->add_flag("--restart", options->restart,
                    "Replace the results that another plan, or another version, left in DIR");
  add_settings_option(*command, options->settings);
  add_format_option(*command, options->format);
  command->footer(plan_help());
  command->callback([options, &context] { plan_and_print(*options, context); });
}

} // namespace moesim
