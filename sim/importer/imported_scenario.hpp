#pragma once

#include "sim/importer/imported_topology.hpp"
#include "sim/importer/megatron_arguments.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// Values that the user adds to a training command.
struct ScenarioOptions {
  std::filesystem::path topology;   ///< topology of the cluster, which a training command does not
                                    ///< name
  std::optional<std::int64_t> gpus; ///< nothing: the number of the launcher
  ShellDefinitions definitions;     ///< values of variables that the file does not set
  std::string more_arguments;       ///< override those of the file
  std::filesystem::path model;      ///< config.json of the model; empty: the arguments give it
};

/// The scenario that an import made of a training command. A value without a key is a comment.
struct ImportedScenario {
  std::vector<ImportedTable> tables;
  std::string config; ///< config of the model, as JSON; empty: the scenario names a file
  /// Remarks for the reader: arguments that are not used, and effects that are not modelled.
  std::vector<std::string> remarks;
};

/// Reads a Megatron-LM or Megatron-Core command line, or its YAML. Throws InputError, with the
/// position, for arguments that it cannot read, that are missing, or that Megatron refuses.
ImportedScenario read_megatron(const std::filesystem::path& file, const ScenarioOptions& options);

/// The same from arguments that were read.
ImportedScenario scenario_of(MegatronArguments& arguments, const ScenarioOptions& options);

/// The model's config, the `[model]` table, and the parts that are not modelled.
struct ImportedModel {
  std::string config; ///< JSON, with the keys of Hugging Face if they exist; empty: a file has it
  ImportedTable table;
  std::int64_t layers = 0;
  std::vector<std::int64_t> stages; ///< layers of each stage, where the layers tell; else empty
  bool is_moe = false;
};
ImportedModel read_megatron_model(const MegatronArguments& arguments);

/// The same from a config.json as it is published. Arguments of the model have no effect.
ImportedModel read_published_model(const MegatronArguments& arguments,
                                   const std::filesystem::path& config);

/// The `[parallel]` table.
ImportedTable read_megatron_plan(const MegatronArguments& arguments, const ImportedModel& model);

/// Writes the scenario file and, beside it, config.json. Creates folders. Throws InputError if a
/// file cannot be written, or if a config.json exists that no import wrote.
void write_imported_scenario(const ImportedScenario& scenario, const std::filesystem::path& file);

} // namespace moesim
