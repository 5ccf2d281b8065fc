#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/platform/topology_spec.hpp"
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

/// Everything that one prediction depends on: the model, the cluster, the plan.
struct Scenario {
  Workload workload;
  TopologySpec topology;
  Fidelity fidelity = Fidelity::folded;
  /// The files that it was read from: the scenario, the config, the topology.
  std::vector<std::filesystem::path> inputs;
};

/// What `[cluster]` says: the topology and how many of its GPUs the job takes.
struct ClusterChoice {
  std::filesystem::path file;
  TopologySpec topology;
  std::int64_t gpus = 0;
};
/// Reads `[cluster]`; paths are relative to `folder`. Throws InputError for malformed input,
/// IllegalScenario where the cluster does not hold the job.
ClusterChoice read_cluster(const TomlTable& table, const std::filesystem::path& folder);

/// Reads `[simulation]`, which may be missing.
Fidelity read_fidelity(const TomlTable& root);

/// Reads a scenario file with the `--set` assignments laid over it. Paths in it are relative to
/// the file. Throws InputError for malformed input, IllegalScenario for an impossible plan.
Scenario read_scenario(const std::filesystem::path& path, const std::vector<std::string>& settings);
/// The same under settings with places of their own.
Scenario read_scenario_with(const std::filesystem::path& path,
                            const std::vector<TomlSetting>& settings);

} // namespace moesim
