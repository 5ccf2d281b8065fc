#include "sim/app/commands.hpp"

#include "sim/app/show_tables.hpp"
#include "sim/base/output_file.hpp"
#include "sim/schedule/draw_pipeline.hpp"
#include "sim/study/simulate.hpp"
#include "sim/study/sweep_plan.hpp"

#include <fmt/format.h>

#include <functional>
#include <iostream>
#include <memory>
#include <sstream>

namespace moesim {

namespace {

struct ShowOptions {
  std::string scenario;
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
  std::string graphviz;
  std::int64_t micro_batch = 0;
};

using TableMaker = std::function<ResultTable(const Scenario&, const ShowOptions&)>;

void add_stage(CLI::App& show, const std::string& name, const std::string& what,
               const TableMaker& make, const AppContext& context) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* command = show.add_subcommand(name, what);
  command->add_option("scenario", options->scenario, "Scenario file (TOML)")
      ->type_name("SCENARIO.toml")
      ->required();
  add_settings_option(*command, options->settings);
  add_format_option(*command, options->format);
  if (name == "topology")
    command
        ->add_option("--graphviz", options->graphviz,
                     "Also write the graph in the Graphviz language")
        ->type_name("FILE");
  if (name == "routing")
    command
        ->add_option("--micro-batch", options->micro_batch,
                     "Where micro-batches differ, the tokens of this one")
        ->type_name("N")
        ->default_val(0)
        ->check(CLI::NonNegativeNumber);
  const bool needs_plan = name == "schedule" || name == "routing" || name == "memory";
  command->callback([options, make, name, needs_plan, &context] {
    Scenario scenario = name == "model" ? read_model_alone(options->scenario, options->settings)
                                        : read_scenario(options->scenario, options->settings);
    if (scenario.search && needs_plan) {
      scenario = under_best_plan(
          scenario, load_costs(context.calibration, scenario.topology, scenario.workload.training));
      std::cerr << fmt::format("best plan: {}\n", plan_settings(scenario.workload));
    }
    if (!options->graphviz.empty()) {
      expect_no_input("--graphviz", options->graphviz, input_files(scenario));
      std::ostringstream stream;
      Topology(scenario.topology, scenario.workload.plan.gpus).write_graphviz(stream);
      write_file(options->graphviz, stream.str());
    }
    if (name == "schedule" && options->format == TableFormat::table) {
      const Workload& workload = scenario.workload;
      std::cout << draw_pipeline(workload.plan, workload.plan.micro_batches(workload.training))
                << '\n'
                << list_stages(workload.plan, workload.model) << '\n';
    }
    if (name == "memory" && options->format == TableFormat::table)
      std::cout << describe_memory(scenario) << '\n';
    std::cout << render(make(scenario, *options), options->format);
  });
}

} // namespace

void add_show_command(CLI::App& app, const AppContext& context) {
  CLI::App* show = app.add_subcommand("show", "Print any intermediate stage of a scenario");
  show->require_subcommand(1);
  const auto of_scenario = [](ResultTable (*make)(const Scenario&)) {
    return [make](const Scenario& scenario, const ShowOptions&) { return make(scenario); };
  };
  add_stage(*show, "model", "Parameters, and FLOPs of one token", of_scenario(show_model), context);
  add_stage(*show, "topology", "Counts, per-GPU and bisection bandwidth",
            of_scenario(show_topology), context);
  add_stage(*show, "schedule",
            "The pipeline, drawn as text, and what each stage does for one micro-batch and once a "
            "step",
            of_scenario(show_schedule), context);
  add_stage(
      *show, "routing", "Tokens by MoE layer and rank, and how uneven its experts are",
      [](const Scenario& scenario, const ShowOptions& options) {
        return show_routing(scenario, options.micro_batch);
      },
      context);
  add_stage(*show, "memory", "Memory of the fullest GPU by component", of_scenario(show_memory),
            context);
}

} // namespace moesim
