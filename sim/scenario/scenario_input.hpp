#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/platform/topology_input.hpp"
#include "sim/scenario/routing_input.hpp"
#include "sim/workload/failure_spec.hpp"
#include "sim/workload/plan_choices.hpp"
#include "sim/workload/plan_input.hpp"
#include "sim/workload/workload.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// The detail of a replay.
enum class Fidelity {
  folded, ///< one device for each class of ranks with equivalent positions and equal loads
  ranks,  ///< every rank a device; a collective lasts as long as its slowest link
  flows   ///< every rank a device; every pair of ranks of an all-to-all a flow
};

/// The names in scenarios.
inline constexpr auto fidelity_names = std::to_array<Named<Fidelity>>(
    {{Fidelity::folded, "folded"}, {Fidelity::ranks, "ranks"}, {Fidelity::flows, "flows"}});
static_assert(names_each(fidelity_names));

/// The values of `[model]`: a published config, and the scenario's own sizes.
struct ModelInput {
  std::filesystem::path config;
  ModelSpec published; ///< the model of the config
  ModelOverrides overrides;
};

/// The values of `[cluster]`: the topology, and the number of GPUs of the job.
struct ClusterInput {
  std::filesystem::path file; ///< topology file
  TopologyInput topology;
  std::int64_t gpus = 0;
  TomlTable table; ///< for the positions of errors
};

/// The tables of a scenario file, for the positions of errors.
struct ScenarioTables {
  TomlTable model;
  TomlTable cluster;
  TomlTable training;
  TomlTable parallel;
  TomlTable routing;
  TomlTable communication;
};

/// The values of a scenario file, of the files that it names and of `--set`; keys that are left out
/// have their defaults. No member follows from another. To change a scenario, change a member and
/// resolve it again (resolve_scenario).
struct ScenarioInput {
  std::filesystem::path file;
  ModelInput model;
  ClusterInput cluster;
  TrainingSpec training = {};
  std::optional<double> tokens = std::nullopt; ///< to train in all
  /// Nothing: what Megatron-Core does by default, or the search chooses.
  std::optional<CudaGraphs> graphs = std::nullopt;
  PlanInput plan = {};
  /// `parallel.search = "best"`: the choices of the search, whose keys `plan`, `training` and
  /// `communication` leave at their defaults. Nothing: the plan is fixed.
  std::optional<PlanChoices> search = std::nullopt;
  RoutingInput routing = {};
  CommunicationSpec communication = {}; ///< without `host_posts`
  Fidelity fidelity = Fidelity::folded;
  FailureSpec failures = {};
  ScenarioTables tables;
};

/// Reads a scenario file with the `--set` assignments laid over it. Paths in it are relative to
/// the file. Throws InputError for malformed input.
ScenarioInput parse_scenario(const std::filesystem::path& path,
                             const std::vector<std::string>& settings);
/// The same with settings that have positions of their own.
ScenarioInput parse_scenario_with(const std::filesystem::path& path,
                                  const std::vector<TomlSetting>& settings);

/// Reads `[cluster]`; paths are relative to `folder`. Throws InputError.
ClusterInput parse_cluster(const TomlTable& table, const std::filesystem::path& folder);
/// Reads a table of the same keys whose `gpus` may be a list: a cluster for each number of GPUs.
std::vector<ClusterInput> parse_clusters(const TomlTable& table,
                                         const std::filesystem::path& folder);

/// The tables of a scenario below `root`, with `cluster` as its cluster. Those that may be left out
/// are empty then.
ScenarioTables scenario_tables(const TomlTable& root, const TomlTable& cluster,
                               const std::filesystem::path& path);
/// Reads a scenario from its tables, of which keys may have been read before, and finishes `root`.
/// `path` is the file that holds them. Throws InputError.
ScenarioInput parse_tables(const TomlTable& root, const ScenarioTables& tables,
                           const ClusterInput& cluster, const std::filesystem::path& path);

/// Reads `[simulation]`, which may be missing. Throws InputError.
Fidelity parse_fidelity(const TomlTable& root);

} // namespace moesim
