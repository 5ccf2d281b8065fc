#include "sim/app/commands.hpp"
#include "sim/app/progress.hpp"
#include "sim/app/run_options.hpp"
#include "sim/study/plan_row.hpp"
#include "sim/study/plan_study.hpp"
#include "sim/study/sweep_report.hpp"

#include <fmt/format.h>

#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct PlanCommandOptions {
  std::string plan;
  RunOptions run;
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
  const PlanFile file = read_plan_file(command.plan, command.run.settings);
  SweepOptions options = sweep_options(command.run, context);
  options.twins = false; // days and cost need none
  options.plans = plans_shown;
  ProgressBar bar;
  const ReportTable results =
      run_plan(file, options, [&](const SweepProgress& progress) { bar.show(progress); });
  const ReportOrigin origin =
      sweep_origin(file.sweep, results, context.command_line, version_text());
  write_origin(options.folder, origin);
  const auto report = write_report(options.folder, {results}, origin, context.assets);
  const TableFormat format = command.run.format;
  std::cout << (format == TableFormat::table ? plan_text(results)
                                             : render(plan_summary(results), format))
            << std::flush;
  for (const std::string& note : straddling_notes(results))
    std::cerr << "warning: " << note << '\n';
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
      "the same folder, it goes on where it stopped; after a change of prices, tokens or the "
      "deadline alone it searches nothing again.");
  command->add_option("plan", options->plan, "Plan file (TOML): a model, tokens, candidates")
      ->type_name("PLAN.toml")
      ->required();
  add_run_options(*command, options->run, "plan");
  command->footer(plan_help());
  command->callback([options, &context] { plan_and_print(*options, context); });
}

} // namespace moesim
