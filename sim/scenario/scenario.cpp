#include "sim/scenario/scenario.hpp"

#include "sim/input/named_file.hpp"
#include "sim/platform/topology.hpp"
#include "sim/scenario/placed_topology.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The position of the override that causes a contradiction; at least one override exists.
InputLocation where_overridden(const TomlTable& table) {
  for (const char* key : {"experts_per_token", "experts", "expert_hidden", "shared_experts"})
    if (table.has(key))
      return table.where(key);
  return table.where("layers");
}

ModelSpec resolve_model(const ModelInput& input, const TomlTable& table) {
  try {
    return override_model(input.published, input.overrides);
  } catch (const std::invalid_argument& error) {
    throw IllegalScenario(where_overridden(table), error.what());
  }
}

/// Throws, at the key at fault, for a plan that cannot run.
void check_plan(const Workload& workload, const ScenarioTables& tables) {
  if (const auto routing = find_routing_fault(workload))
    tables.routing.fail(routing->key, routing->message, routing->hint);
  const auto fault = find_plan_fault(workload.plan, workload.model, workload.training);
  if (!fault)
    return;
  const TomlTable& table = fault->table == "cluster"         ? tables.cluster
                           : fault->table == "training"      ? tables.training
                           : fault->table == "communication" ? tables.communication
                                                             : tables.parallel;
  throw IllegalScenario(table.where(fault->key), fault->message, fault->hint);
}

GraphsOrigin origin_of_graphs(const ScenarioInput& input) {
  if (input.search)
    return input.search->graphs.size() == 1 ? GraphsOrigin::given : GraphsOrigin::searched;
  return input.graphs ? GraphsOrigin::given : GraphsOrigin::default_none;
}

std::vector<std::filesystem::path> files_of(const ScenarioInput& input) {
  std::vector<std::filesystem::path> files = {input.file, input.model.config, input.cluster.file};
  if (input.routing.recording)
    files.push_back(*input.routing.recording);
  return files;
}

} // namespace

bool host_posts(const Workload& workload, const TopologySpec& topology) {
  const CommunicationSpec& communication = workload.communication;
  if (communication.dispatcher != Dispatcher::node_limited || workload.plan.expert == 1)
    return false;
  const bool posts =
      communication.library == Library::uccl_ep ||
      (communication.library == Library::deepep && topology.node.nic_interconnect == "efa");
  const auto domain = static_cast<std::size_t>(domain_gpus_used(topology, workload.plan));
  for (std::int64_t stage = 0; posts && stage < workload.plan.pipeline; ++stage)
    for (const std::vector<RankId>& ranks :
         groups_of_stage(workload.plan, GroupKind::expert, stage))
      if (index(ranks.front()) / domain != index(ranks.back()) / domain)
        return true;
  return false;
}

namespace {

/// Throws where NVFP4 has no arithmetic, or stands beside a format that no framework joins with it.
void check_nvfp4(const ScenarioInput& input, const TopologySpec& topology) {
  if (input.training.precision != Precision::nvfp4)
    return;
  const TomlTable& training = input.tables.training;
  if (topology.gpu.fp4.value == 0.0 || topology.gpu.fp8 <= topology.gpu.bf16)
    throw IllegalScenario(training.where("precision"),
                          fmt::format("precision: {} gives no fp4_tflops (dense) of its GPU, which "
                                      "products in NVFP4 need",
                                      topology.name));
  if (is_quantised(input.communication.dispatch_precision))
    throw IllegalScenario(training.where("precision"),
                          "precision: tokens that were sent in fp8 are not cast to NVFP4; leave "
                          "dispatch_precision out");
  if (training.has("compressed_activations") && input.training.compressed_activations)
    training.fail("compressed_activations", "activations are kept in NVFP4 already",
                  "leave it out with precision = \"nvfp4\"");
}

} // namespace

TopologySpec resolve_cluster(const ClusterInput& cluster) {
  TopologySpec topology = read_named(cluster.table, "topology", cluster.file, [&](const fs::path&) {
    return resolve_topology(cluster.topology);
  });
  if (cluster.gpus > topology.gpus_max)
    throw IllegalScenario(cluster.table.where("gpus"),
                          fmt::format("{} GPUs are more than the {} that {} holds", cluster.gpus,
                                      topology.gpus_max, topology.name));
  // With faults, or in an explicit graph, the job's GPUs may not be connected: build the topology
  // to check.
  if (!topology.faults.empty() || topology.fabric.kind == FabricKind::explicit_graph)
    read_named(cluster.table, "topology", cluster.file,
               [&](const fs::path&) { return Topology(topology, cluster.gpus).gpus(); });
  return topology;
}

Scenario resolve_scenario(const ScenarioInput& input) {
  Scenario scenario;
  Workload& workload = scenario.workload;
  workload.model = resolve_model(input.model, input.tables.model);
  scenario.topology = resolve_cluster(input.cluster);
  check_nvfp4(input, scenario.topology);
  workload.training = input.training;
  workload.graphs = input.graphs.value_or(CudaGraphs{});
  workload.plan = resolve_plan(input.plan, workload.model, input.cluster.gpus);
  workload.routing = resolve_routing(input.routing, input.tables.routing, workload,
                                     scenario.topology.node.scale_up_gpus);
  workload.communication = input.communication;
  scenario.search = input.search;
  scenario.graphs_origin = origin_of_graphs(input);
  if (!scenario.search)
    check_plan(workload, input.tables);
  workload.communication.host_posts = host_posts(workload, scenario.topology);
  scenario.fidelity = input.fidelity;
  scenario.tokens = input.tokens;
  scenario.failures = input.failures;
  scenario.inputs = files_of(input);
  return scenario;
}

Scenario read_model_alone(const std::filesystem::path& path,
                          const std::vector<std::string>& settings) {
  const ScenarioInput input = parse_scenario(path, settings);
  Scenario scenario;
  scenario.workload.model = resolve_model(input.model, input.tables.model);
  scenario.workload.training = input.training;
  return scenario;
}

Scenario read_scenario(const std::filesystem::path& path,
                       const std::vector<std::string>& settings) {
  return resolve_scenario(parse_scenario(path, settings));
}

} // namespace moesim
