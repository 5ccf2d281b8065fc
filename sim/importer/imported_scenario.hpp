#pragma once

#include "sim/importer/imported_topology.hpp"
#include "sim/importer/megatron_arguments.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// What the user adds to a training command that does not say everything.
struct ScenarioOptions {
  std::filesystem::path topology;   ///< of the cluster; a training command names none
  std::optional<std::int64_t> gpus; ///< nothing: what the launcher is given
  ShellDefinitions definitions;     ///< values of variables that the file does not set
  std::string more_arguments;       ///< laid over the file's
};

/// What an import made of a training command. A value without a key is a comment.
struct ImportedScenario {
  std::vector<ImportedTable> tables;
  std::string config; ///< of the model, as JSON
  /// What a reader should know and no key says: what is not used, what is not modelled.
  std::vector<std::string> remarks;
};

/// Reads a Megatron-LM or Megatron-Core command line, or its YAML. Throws InputError, at the place,
/// for what it cannot read, does not find or Megatron would refuse.
ImportedScenario read_megatron(const std::filesystem::path& file, const ScenarioOptions& options);

/// The model's config and the `[model]` table, and what of the model is not modelled.
struct ImportedModel {
  std::string config; ///< JSON in the keys of Hugging Face where they have one
  ImportedTable table;
  std::int64_t layers = 0;
  bool is_moe = false;
};
ImportedModel read_megatron_model(const MegatronArguments& arguments);

/// The `[parallel]` table.
ImportedTable read_megatron_plan(const MegatronArguments& arguments, const ImportedModel& model);

/// Writes the scenario file and, beside it, config.json. Folders are made. Throws InputError if
/// that cannot be written, or a config.json is there that no import wrote.
void write_imported_scenario(const ImportedScenario& scenario, const std::filesystem::path& file);

} // namespace moesim
