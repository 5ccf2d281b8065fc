#include "sim/app/commands.hpp"
#include "sim/study/cost_library.hpp"
#include "sim/study/goodput_study.hpp"
#include "sim/study/simulate.hpp"

#include <fmt/format.h>

#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct GoodputOptions {
  std::string scenario;
  std::uint32_t runs = 200;
  std::uint32_t seed = 1;
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
};

constexpr const char* goodput_footer =
    "Rows quantity,value,unit,note. days: the training at a constant step; effective_days: with\n"
    "checkpoints, repeated work, restarts, waiting for repairs, steps that are slower while a NIC\n"
    "is down. These are expected values of a closed formula (Daly's, with failures during "
    "restarts\n"
    "and checkpoints too); the rows simulated_... are means over trainings in which each failure\n"
    "is drawn. They start with all hosts in order, which the formula does not: a training that is\n"
    "short beside repair_hours waits less.\n\n"
    "Keys of [failures]: workloads/SCENARIO.md. Rates: calibration/failures.csv. training.tokens\n"
    "says how much to train.\n\n"
    "  moesim goodput workloads/mixtral-8x7b/scenario.toml --set training.tokens=1e12\n"
    "  moesim goodput workloads/mixtral-8x7b/scenario.toml --set training.tokens=1e12 \\\n"
    "    --set failures.fleet=rsc-1 --set failures.spare_hosts=0";

void print_goodput(const GoodputOptions& options, const AppContext& context) {
  const Scenario scenario = read_scenario(options.scenario, options.settings);
  if (!scenario.tokens)
    throw InputError({options.scenario}, "training.tokens is missing: how much to train",
                     "add it, or --set training.tokens=1e12");
  CostLibrary library(context.calibration);
  const Costs& costs = library.of(scenario.topology, scenario.workload.training);
  const StepResult step = simulate(scenario, costs, {}, Twins::skip).result;
  if (step.status != "ok")
    throw InputError({options.scenario},
                     fmt::format("its step cannot run: {}: {}", step.status, step.reason));
  const Scenario planned = with_plan(scenario, step.plan);
  const auto goodput = goodput_of(planned, *scenario.tokens, step, costs, context.calibration);
  if (!goodput)
    throw InputError({options.scenario},
                     "the training gets nowhere: less than 1 % of its time is work",
                     "give more spare_hosts, a faster storage_gbyte_per_s, a shorter "
                     "checkpoint_interval_minutes, or longer times between failures");
  const SimulatedRuns simulated = simulate_runs(goodput->job, goodput->expected.work,
                                                goodput->interval, options.seed, options.runs);
  std::cout << render(goodput_table(planned, *goodput, simulated, options.runs), options.format);
}

} // namespace

void add_goodput_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<GoodputOptions>();
  CLI::App* command = app.add_subcommand(
      "goodput", "Days of a training with failures, checkpoints and restarts, and where they go");
  command->add_option("scenario", options->scenario, "Scenario file (TOML)")
      ->type_name("SCENARIO.toml")
      ->required();
  command->add_option("--runs", options->runs, "Trainings to simulate (default: 200)")
      ->check(CLI::Range(2, 100'000))
      ->type_name("N");
  command->add_option("--seed", options->seed, "Seed of their failures (default: 1)")
      ->type_name("S");
  add_settings_option(*command, options->settings);
  add_format_option(*command, options->format);
  command->footer(goodput_footer);
  command->callback([options, &context] { print_goodput(*options, context); });
}

} // namespace moesim
