#include "sim/app/commands.hpp"
#include "sim/app/progress.hpp"
#include "sim/app/run_options.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/output_file.hpp"
#include "sim/study/config_plan.hpp"
#include "sim/study/folder_lock.hpp"
#include "sim/study/plan_row.hpp"
#include "sim/study/plan_study.hpp"
#include "sim/study/sweep_links.hpp"
#include "sim/study/sweep_report.hpp"
#include "sim/study/sweep_sensitivity.hpp"

#include <fmt/format.h>

#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct PlanCommandOptions {
  std::string plan; ///< a plan file, or a model's config.json
  ConfigPlan of_config;
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

/// The options that make a plan of a config, without which it asks nothing.
constexpr const char* config_options = "--cluster, --gpus, --tokens and --price-per-gpu-hour";

/// The plan file to run: the one that is given, or the one that the options ask for, written to the
/// folder of the results.
std::filesystem::path plan_path(const PlanCommandOptions& command, const AppContext& context) {
  const ConfigPlan& asked = command.of_config;
  const std::filesystem::path given = command.plan;
  if (given.extension() != ".json") {
    if (!asked.clusters.empty() || !asked.gpus.empty() || asked.tokens > 0.0 ||
        !asked.prices_per_gpu_hour.empty())
      throw InputError({command.plan}, fmt::format("{} belong to a config.json", config_options),
                       "a plan file has them as keys: workloads/PLAN.md");
    return given;
  }
  if (asked.clusters.empty() || asked.gpus.empty() || asked.tokens <= 0.0 ||
      asked.prices_per_gpu_hour.empty())
    throw InputError({command.plan}, fmt::format("the plan of a config needs {}", config_options),
                     "or give a plan file: workloads/PLAN.md");
  ConfigPlan plan = asked;
  plan.config = given;
  const std::filesystem::path written = std::filesystem::path(command.run.folder) / "plan.toml";
  const std::string text = config_plan_text(plan, context.topologies);
  make_folder(command.run.folder);
  write_file(written, text);
  std::cerr << fmt::format("plan file: {}: {} tokens a batch in sequences of {}; edit it to change "
                           "more\n",
                           written.string(), plan.global_batch_tokens, plan.sequence_length);
  return written;
}

void plan_and_print(const PlanCommandOptions& command, const AppContext& context) {
  const PlanFile file = read_plan_file(plan_path(command, context), command.run.settings);
  const FolderLock lock(command.run.folder);
  SweepOptions options = sweep_options(command.run, context);
  options.twins = false; // days and cost need none
  options.plans = plans_shown;
  ProgressBar bar;
  SweepTables tables;
  const ReportTable& results = tables.results =
      run_plan(file, options, [&](const SweepProgress& progress) { bar.show(progress); });
  tables.links = write_links(file.sweep, results, options);
  if (command.run.sensitivity)
    tables.sensitivity = write_sensitivity(file.sweep, results, options);
  else
    remove_sensitivity(options.folder);
  const ReportOrigin origin =
      sweep_origin(file.sweep, results, context.command_line, version_text());
  write_origin(options.folder, origin);
  const auto report = write_report(options.folder, tables, origin, context.assets);
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

/// The options of a plan of a config.json.
void add_config_options(CLI::App& command, ConfigPlan& plan) {
  command.add_option("--cluster", plan.clusters, "Name in topologies/, or a file; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command.add_option("--gpus", plan.gpus, "GPUs of each cluster: 128,256")
      ->delimiter(',')
      ->type_name("N,...");
  command.add_option("--tokens", plan.tokens, "Tokens to train in all")->type_name("T");
  command
      .add_option("--price-per-gpu-hour", plan.prices_per_gpu_hour,
                  "Of all clusters, or of each: 2.0,4.0")
      ->delimiter(',')
      ->type_name("P,...");
  command.add_option("--deadline-days", plan.deadline_days, "Days that the training may take")
      ->type_name("D");
  command.add_option("--sequence-length", plan.sequence_length, "Tokens of a sequence")
      ->capture_default_str();
  command.add_option("--global-batch-tokens", plan.global_batch_tokens, "Tokens of a batch")
      ->capture_default_str();
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
  command
      ->add_option("plan", options->plan,
                   "Plan file (TOML): a model, tokens, candidates; or a model's config.json, with "
                   "--cluster and the options after it")
      ->type_name("PLAN.toml|config.json")
      ->required();
  add_config_options(*command, options->of_config);
  add_run_options(*command, options->run, "plan");
  command->footer(plan_help());
  command->callback([options, &context] { plan_and_print(*options, context); });
}

} // namespace moesim
