#include "sim/app/commands.hpp"
#include "sim/importer/imported_scenario.hpp"
#include "sim/scenario/scenario.hpp"

#include <fmt/format.h>

#include <iostream>
#include <memory>

namespace moesim {

namespace {

constexpr const char* megatron_footer =
    "Example:\n"
    "  moesim import megatron train.sh --topology topologies/hgx-h100-ndr400.toml \\\n"
    "      --define TP=2 --with \"--vocab-size 32000\" --out my-run/scenario.toml\n"
    "  moesim simulate my-run/scenario.toml\n\n"
    "FILE is a shell script that calls Megatron, its arguments alone (--num-layers 32 ...), or a "
    "YAML file:\n"
    "MODEL_ARGS or ARGS as published recipes have them, or Megatron's own config. A script is "
    "read, "
    "never\n"
    "run: its variables, arrays, conditions and functions are followed as far as the file tells, "
    "and the\n"
    "environment is not looked at. What is left open is an error with its place; --define sets "
    "it.\n\n"
    "Beside the scenario stands config.json, the model. Each value says where it comes from; what "
    "was\n"
    "assumed, what has no key and what is not known is printed, and stands in the scenario as a "
    "comment.\n"
    "Learning rates, data, logging and checkpoints change no step time and are left out.";

struct MegatronRequest {
  std::string file;
  std::string out;
  std::vector<std::string> definitions;
  ScenarioOptions options;
};

ShellDefinitions parse_definitions(const std::vector<std::string>& texts) {
  ShellDefinitions definitions;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw InputError({"--define " + text}, "expected NAME=VALUE", "as in --define TP=2");
    definitions[text.substr(0, equals)] = text.substr(equals + 1);
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

void run_import(MegatronRequest& request) {
  request.options.definitions = parse_definitions(request.definitions);
  const ImportedScenario scenario = read_megatron(request.file, request.options);
  write_imported_scenario(scenario, request.out);
  print_gaps(scenario);
  print_refusal(request.out);
  std::cout << request.out << '\n';
}

} // namespace

void add_megatron_import(CLI::App& import) {
  auto request = std::make_shared<MegatronRequest>();
  CLI::App* command = import.add_subcommand(
      "megatron", "A scenario and its model from a Megatron-LM command line or YAML");
  command->footer(megatron_footer);
  command->add_option("file", request->file, "File to read")->type_name("FILE")->required();
  command
      ->add_option("--out", request->out, "Scenario file to write; config.json is written beside")
      ->type_name("SCENARIO.toml")
      ->required();
  command
      ->add_option("--topology", request->options.topology,
                   "The cluster, which a training command does not name")
      ->type_name("TOPOLOGY.toml")
      ->required();
  command
      ->add_option("--gpus", request->options.gpus,
                   "GPUs of the job (default: what torchrun or #SBATCH is given)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000'000));
  command
      ->add_option("--define", request->definitions,
                   "Value of a variable, above what the file assigns; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--with", request->options.more_arguments,
                   "Further Megatron arguments, in one text, laid over the file's")
      ->type_name("ARGUMENTS");
  command->callback([request] { run_import(*request); });
}

} // namespace moesim
