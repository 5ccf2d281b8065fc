#include "sim/app/commands.hpp"

#include "sim/app/show_tables.hpp"
#include "sim/base/input_error.hpp"
#include "sim/schedule/draw_pipeline.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct ShowOptions {
  std::string scenario;
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
  std::string graphviz;
};

using TableMaker = ResultTable (*)(const Scenario&);

CLI::App* add_stage(CLI::App& show, const std::string& name, const std::string& what,
                    TableMaker make) {
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
  command->callback([options, make] {
    const Scenario scenario = read_scenario(options->scenario, options->settings);
    if (!options->graphviz.empty()) {
      std::ofstream stream(options->graphviz);
      Topology(scenario.topology, scenario.workload.plan.gpus).write_graphviz(stream);
      if (!stream)
        throw InputError({options->graphviz}, "cannot be written");
    }
    if (make == show_schedule && options->format == TableFormat::table) {
      const Workload& workload = scenario.workload;
      std::cout << draw_pipeline(workload.plan, workload.plan.micro_batches(workload.training))
                << '\n'
                << list_stages(workload.plan, workload.model) << '\n';
    }
    if (make == show_memory && options->format == TableFormat::table)
      std::cout << describe_memory(scenario) << '\n';
    std::cout << render(make(scenario), options->format);
  });
  return command;
}

} // namespace

void add_show_command(CLI::App& app, const AppContext&) {
  CLI::App* show = app.add_subcommand("show", "Print any intermediate stage of a scenario");
  show->require_subcommand(1);
  add_stage(*show, "model", "Parameters, and FLOPs of one token", show_model);
  add_stage(*show, "topology", "Counts, per-GPU and bisection bandwidth", show_topology);
  add_stage(*show, "schedule",
            "The pipeline, drawn as text, and what each stage does for one micro-batch and once a "
            "step",
            show_schedule);
  add_stage(*show, "routing", "Tokens by MoE layer and rank", show_routing);
  add_stage(*show, "memory", "Memory of the fullest GPU by component", show_memory);
}

} // namespace moesim
