#include "sim/app/commands.hpp"
#include "sim/base/output_file.hpp"
#include "sim/importer/imported_scenario.hpp"
#include "sim/importer/megatron_log.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/study/simulate.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>

namespace moesim {

namespace {

constexpr const char* megatron_footer =
    "Example:\n"
    "  moesim import megatron train.sh --topology topologies/hgx-h100-ndr400.toml \\\n"
    "      --define TP=2 --with \"--vocab-size 32000\" --out my-run/scenario.toml\n"
    "  moesim simulate my-run/scenario.toml\n\n"
    "FILE is a shell script that calls Megatron (also through slime or ms-swift), its arguments "
    "alone\n"
    "(--num-layers 32 ..., or arrays of them), or YAML: MODEL_ARGS or ARGS as published recipes "
    "have\n"
    "them, Megatron's own config, FlagScale's train/*.yaml or an experiment of Primus. A script is "
    "read\n"
    "(by shfmt, Debian package shfmt), never run: its variables, arrays, conditions, loops, "
    "functions and\n"
    "sourced files are followed as far as the files tell; the environment is not looked at. Values "
    "that are\n"
    "left open and matter are one error that names the options which give all of them.\n\n"
    "Beside the scenario stands config.json, the model. Each value says where it comes from; what "
    "was\n"
    "assumed, what has no key and what is not known is printed, and stands in the scenario as a "
    "comment.\n"
    "Arguments that change a step in a way that is not modelled are refused by name. Learning "
    "rates, data,\n"
    "logging and checkpoints change no step time and are left out.";

constexpr const char* log_footer =
    "Example:\n"
    "  moesim import megatron-log rank0.log --topology topologies/hgx-h100-ndr400.toml \\\n"
    "      --out my-run/scenario.toml\n\n"
    "FILE is what Megatron prints on rank 0: the block \"---- arguments ----\" has every argument "
    "as the run\n"
    "resolved it, so no script is guessed at. If the log has lines of iterations, their median "
    "after a\n"
    "warm-up (a tenth of them, at least two) stands beside the prediction for the scenario. "
    "Megatron counts\n"
    "FLOPs in its own way, which may count causal attention in full.";

struct MegatronRequest {
  std::string file;
  std::string out;
  std::vector<std::string> definitions;
  std::optional<std::string> arguments;
  ScenarioOptions options;
  TableFormat format = TableFormat::table; ///< of the comparison with a log
};

ShellDefinitions parse_definitions(const MegatronRequest& request) {
  ShellDefinitions definitions;
  if (request.arguments) {
    std::istringstream words(*request.arguments);
    definitions.arguments.emplace(std::istream_iterator<std::string>(words),
                                  std::istream_iterator<std::string>());
  }
  for (const std::string& text : request.definitions) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw InputError({"--define " + text}, "expected NAME=VALUE", "as in --define TP=2");
    definitions.variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return definitions;
}

/// Prints the gaps of the scenario, which its comments also list, for users who do not open it.
void print_gaps(const ImportedScenario& scenario) {
  for (const std::string& remark : scenario.remarks)
    std::cerr << remark << '\n';
  for (const ImportedTable& table : scenario.tables)
    for (const ImportedValue& value : table.values)
      if (value.key.empty())
        std::cerr << value.note << '\n';
      else if (value.origin == ValueOrigin::assumed)
        std::cerr << fmt::format("not in the file, assumed: {}.{} = {} ({})\n", table.name,
                                 value.key, value.value, value.note);
}

/// Prints why this version refuses a scenario. The scenario is printed all the same.
void print_refusal(const std::string& scenario) {
  try {
    read_scenario(scenario, {});
  } catch (const InputError& error) {
    std::cerr << "this version does not simulate it as it is:\n" << error.what() << '\n';
  }
}

/// Writes the scenario, and its name to stdout unless another result goes there.
void write_and_tell(const ImportedScenario& scenario, const MegatronRequest& request) {
  expect_no_input("--out", request.out, {request.file});
  write_imported_scenario(scenario, request.out);
  print_gaps(scenario);
  print_refusal(request.out);
  (request.format == TableFormat::table ? std::cout : std::cerr)
      << request.out << std::endl; // before a replay may fork
}

void run_import(MegatronRequest& request) {
  request.options.definitions = parse_definitions(request);
  write_and_tell(read_megatron(request.file, request.options), request);
}

/// A measured value beside the predicted one.
void add_comparison(ResultTable& table, const std::string& column, std::optional<double> measured,
                    double predicted) {
  if (!measured)
    return;
  const bool known = std::isfinite(predicted);
  table.rows.push_back(
      {column, fmt::format("{:.6g}", *measured), known ? fmt::format("{:.6g}", predicted) : "",
       known ? fmt::format("{:+.1f}", 100.0 * (predicted / *measured - 1.0)) : ""});
}

/// Prints the measurements of a log beside the prediction for its scenario.
void print_comparison(const LoggedRun& run, const MegatronRequest& request,
                      const AppContext& context) {
  const Scenario scenario = read_scenario(request.out, {});
  const Costs costs =
      load_costs(context.calibration, scenario.topology, scenario.workload.training);
  const StepResult result = simulate(scenario, costs, {}, Twins::skip).result;
  if (result.status != "ok")
    std::cerr << fmt::format("no prediction: {}: {}\n", result.status, result.reason);
  ResultTable table{{"quantity", "measured", "predicted", "error_percent"}, {}};
  add_comparison(table, "step_time_ms", run.step_time_ms, result.step_time_ms);
  add_comparison(table, "model_tflops_per_gpu", run.tflops_per_gpu, result.model_tflops_per_gpu);
  add_comparison(table, "allocated_gib_per_gpu", run.allocated_gib, result.allocated_gib_per_gpu);
  std::cout << render(table, request.format);
  std::cerr << fmt::format("measured: median of {} of {} lines of iterations; the first {} are "
                           "taken for warm-up\n",
                           run.iteration_lines - run.warm_up_lines, run.iteration_lines,
                           run.warm_up_lines);
}

void run_log_import(MegatronRequest& request, const AppContext& context) {
  LoggedRun run = read_megatron_log(request.file);
  write_and_tell(scenario_of(run.arguments, request.options), request);
  if (run.step_time_ms || run.allocated_gib)
    print_comparison(run, request, context);
}

/// Adds the options that every import of a training run has.
void add_run_options(CLI::App& command, MegatronRequest& request) {
  command.add_option("file", request.file, "File to read")->type_name("FILE")->required();
  command.add_option("--out", request.out, "Scenario file to write; config.json is written beside")
      ->type_name("SCENARIO.toml")
      ->required();
  command
      .add_option("--topology", request.options.topology,
                  "The cluster, which a training command does not name")
      ->type_name("TOPOLOGY.toml")
      ->required();
  command
      .add_option("--gpus", request.options.gpus,
                  "GPUs of the job (default: what the launcher, #SBATCH or the log tells)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000'000));
  command
      .add_option("--with", request.options.more_arguments,
                  "Further Megatron arguments, in one text, laid over the file's")
      ->type_name("ARGUMENTS");
}

} // namespace

void add_megatron_import(CLI::App& import) {
  auto request = std::make_shared<MegatronRequest>();
  CLI::App* command = import.add_subcommand(
      "megatron", "A scenario and its model from a Megatron-LM launch script or YAML");
  command->footer(megatron_footer);
  add_run_options(*command, *request);
  command
      ->add_option("--define", request->definitions,
                   "Value of a variable, above what the file assigns; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--arguments", request->arguments,
                   "The script's own arguments, in one text, as after its name in a shell")
      ->type_name("WORDS");
  command
      ->add_option("--model", request->options.model,
                   "The model's config.json as published, for a command that only names its model")
      ->type_name("CONFIG.json");
  command->callback([request] { run_import(*request); });
}

void add_megatron_log_import(CLI::App& import, const AppContext& context) {
  auto request = std::make_shared<MegatronRequest>();
  CLI::App* command = import.add_subcommand(
      "megatron-log", "A scenario from the log of a run, and its measured steps beside the "
                      "prediction");
  command->footer(log_footer);
  add_run_options(*command, *request);
  add_format_option(*command, request->format);
  command->callback([request, &context] { run_log_import(*request, context); });
}

} // namespace moesim
