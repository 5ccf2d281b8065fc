#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/platform/topology_input.hpp"
#include "sim/scenario/routing_input.hpp"
#include "sim/workload/plan_choices.hpp"
#include "sim/workload/plan_input.hpp"
#include "sim/workload/workload.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// How finely the cluster is replayed.
enum class Fidelity {
  folded, ///< one device for each class of ranks that sit alike and carry alike load
  ranks,  ///< every rank a device, collectives as the loads of links: the slowest link ends them
  flows   ///< every rank a device, every pair of an all-to-all a flow
};

/// The names in scenarios.
inline constexpr auto fidelity_names = std::to_array<Named<Fidelity>>(
    {{Fidelity::folded, "folded"}, {Fidelity::ranks, "ranks"}, {Fidelity::flows, "flows"}});
static_assert(names_each(fidelity_names));

/// `[model]`: a published config, and the scenario's own sizes.
struct ModelInput {
  std::filesystem::path config;
  ModelSpec published; ///< as the config has it
  ModelOverrides overrides;
};

/// `[cluster]`: the topology, and how many of its GPUs the job takes.
struct ClusterInput {
  std::filesystem::path file; ///< of the topology
  TopologyInput topology;
  std::int64_t gpus = 0;
  TomlTable table; ///< where it is written, for errors
};

/// The tables of a scenario file, for the places of errors.
struct ScenarioTables {
  TomlTable model;
  TomlTable cluster;
  TomlTable training;
  TomlTable parallel;
  TomlTable routing;
  TomlTable communication;
};

/// A scenario as its file, the files that it names and `--set` say it, with the defaults of keys
/// that are left out. Nothing here follows from anything else: to change a scenario is to change a
/// member, then to resolve it (resolve_scenario).
struct ScenarioInput {
  std::filesystem::path file;
  ModelInput model;
  ClusterInput cluster;
  TrainingSpec training = {};
  CudaGraphs graphs = {};
  PlanInput plan = {};
  /// `parallel.search = "best"`: the choices of the search, whose keys `plan`, `training` and
  /// `communication` leave at their defaults. Nothing: the plan is fixed.
  std::optional<PlanChoices> search = std::nullopt;
  RoutingInput routing = {};
  CommunicationSpec communication = {}; ///< without `host_posts`
  Fidelity fidelity = Fidelity::folded;
  ScenarioTables tables;
};

/// Reads a scenario file with the `--set` assignments laid over it. Paths in it are relative to
/// the file. Throws InputError for malformed input.
ScenarioInput parse_scenario(const std::filesystem::path& path,
                             const std::vector<std::string>& settings);
/// The same under settings with places of their own.
ScenarioInput parse_scenario_with(const std::filesystem::path& path,
                                  const std::vector<TomlSetting>& settings);

/// Reads `[cluster]`; paths are relative to `folder`. Throws InputError.
ClusterInput parse_cluster(const TomlTable& table, const std::filesystem::path& folder);

/// Reads `[simulation]`, which may be missing. Throws InputError.
Fidelity parse_fidelity(const TomlTable& root);

} // namespace moesim
