#pragma once

#include "sim/platform/topology_spec.hpp"
#include "sim/scenario/scenario_input.hpp"
#include "sim/workload/failure_spec.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The source of the scope of CUDA graphs of a step.
enum class GraphsOrigin : std::uint8_t {
  given,        ///< the scenario has one `cuda_graph_scope`
  default_none, ///< it has none: Megatron-Core's default
  searched      ///< the search chose it with the plan
};

/// The names in results.
inline constexpr auto graphs_origin_names =
    std::to_array<Named<GraphsOrigin>>({{GraphsOrigin::given, "given"},
                                        {GraphsOrigin::default_none, "default"},
                                        {GraphsOrigin::searched, "search"}});
static_assert(names_each(graphs_origin_names));

/// All inputs of one prediction: the model, the cluster, the plan. Its members follow from a
/// ScenarioInput: to change one, change the input.
struct Scenario {
  Workload workload;
  TopologySpec topology;
  Fidelity fidelity = Fidelity::folded;
  /// The choices of a search for the best plan. The plan of `workload` is then of no account but
  /// for what the choices leave out: GPUs, sequence parallelism, offloading.
  std::optional<PlanChoices> search = std::nullopt;
  GraphsOrigin graphs_origin = GraphsOrigin::default_none;
  std::optional<double> tokens = std::nullopt; ///< to train in all
  FailureSpec failures = {};
  /// The files that it was read from: the scenario, the config, the topology, a recording of loads.
  std::vector<std::filesystem::path> inputs;
};

/// Resolves an input: sizes of the model and of the nodes, layers of each stage, an automatic
/// expert degree, domains for the placement of experts, whether the host posts the messages of
/// dispatch. The result depends on the input and on the files that it names (a recording, an
/// explicit graph) alone. A router is not trained here, but when its loads are first used
/// (trained_loads_of). Throws InputError if values contradict each other, IllegalScenario if the
/// plan cannot run.
Scenario resolve_scenario(const ScenarioInput& input);

/// Whether the host posts the messages of dispatch and combine to other scale-up domains: UCCL-EP
/// leaves them to it on any NIC, DeepEP on EFA, to which a GPU cannot post its own.
bool host_posts(const Workload& workload, const TopologySpec& topology);

/// The topology of a cluster that holds the job. Throws InputError for a topology that contradicts
/// itself, IllegalScenario where the job does not fit or faults cut it in two.
TopologySpec resolve_cluster(const ClusterInput& cluster);

/// Reads a scenario file under `--set` assignments and resolves it. Throws as both steps do.
Scenario read_scenario(const std::filesystem::path& path, const std::vector<std::string>& settings);

/// The model and the training of a scenario file alone: its plan need not fit the model.
Scenario read_model_alone(const std::filesystem::path& path,
                          const std::vector<std::string>& settings);

} // namespace moesim
