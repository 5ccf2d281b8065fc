#include "sim/scenario/scenario.hpp"

#include "sim/input/named_file.hpp"
#include "sim/platform/topology.hpp"
#include "sim/scenario/routing_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr Range<std::int64_t> count{1, 1'000'000'000};

std::optional<std::int64_t> optional_count(const TomlTable& table, const std::string& key,
                                           Range<std::int64_t> range = count) {
  if (!table.has(key))
    return std::nullopt;
  return table.integer(key, range);
}

/// The override that a contradiction is about, as far as the keys tell; one of them is there.
InputLocation where_overridden(const TomlTable& table) {
  for (const char* key : {"experts_per_token", "experts", "expert_hidden", "shared_experts"})
    if (table.has(key))
      return table.where(key);
  return table.where("layers");
}

ModelSpec read_model_table(const TomlTable& table, const fs::path& folder, Scenario& scenario) {
  const fs::path config = folder / table.text("config");
  scenario.inputs.push_back(config);
  ModelSpec model = read_named(table, "config", config, read_model);
  ModelOverrides overrides;
  overrides.layers = optional_count(table, "layers", {1, layers_max});
  overrides.experts = optional_count(table, "experts", {0, count.high});
  overrides.experts_per_token = optional_count(table, "experts_per_token");
  overrides.expert_hidden = optional_count(table, "expert_hidden");
  overrides.shared_experts = optional_count(table, "shared_experts", {0, count.high});
  overrides.mtp_layers = optional_count(table, "mtp_layers", {0, layers_max});
  table.finish();
  try {
    return override_model(std::move(model), overrides);
  } catch (const std::invalid_argument& error) {
    throw IllegalScenario(where_overridden(table), error.what());
  }
}

CudaGraphs read_cuda_graphs(const TomlTable& table) {
  CudaGraphs graphs;
  if (!table.has("cuda_graph_scope"))
    return graphs;
  const std::vector<std::pair<std::string, bool CudaGraphs::*>> scopes = {
      {"full_iteration", &CudaGraphs::full_iteration},
      {"attn", &CudaGraphs::attention},
      {"moe_router", &CudaGraphs::router},
      {"moe_preprocess", &CudaGraphs::preprocess},
      {"mlp", &CudaGraphs::dense}};
  graphs.full_iteration = false;
  if (table.is_text("cuda_graph_scope")) {
    table.choice("cuda_graph_scope", {"none"});
    return graphs;
  }
  for (const TomlValue& value : table.list("cuda_graph_scope")) {
    const auto known = std::find_if(scopes.begin(), scopes.end(),
                                    [&](const auto& scope) { return scope.first == value.text; });
    if (known == scopes.end())
      table.fail("cuda_graph_scope", fmt::format("there is no scope \"{}\"", value.text),
                 "the scopes are full_iteration, attn, moe_router, moe_preprocess, mlp, or "
                 "cuda_graph_scope = \"none\"");
    graphs.*known->second = true;
  }
  return graphs;
}

Fp8Recipe read_fp8_recipe(const TomlTable& table, Precision precision) {
  if (table.has("fp8_recipe") && precision != Precision::fp8)
    throw InputError(table.where("fp8_recipe"), "fp8_recipe: the training does not run in fp8",
                     "set precision = \"fp8\", or leave it out");
  const std::string name =
      table.choice_or("fp8_recipe", {"per-tensor", "blockwise", "mxfp8"}, "blockwise");
  return name == "per-tensor" ? Fp8Recipe::per_tensor
         : name == "mxfp8"    ? Fp8Recipe::mx
                              : Fp8Recipe::blockwise;
}

TrainingSpec read_training_table(const TomlTable& table, CudaGraphs& graphs) {
  TrainingSpec training;
  graphs = read_cuda_graphs(table);
  training.sequence_length = table.integer("sequence_length", count);
  training.global_batch = table.integer("global_batch", count);
  training.micro_batch = table.integer_or("micro_batch", count, 1);
  training.precision = table.choice_or("precision", {"bf16", "fp8"}, "bf16") == "fp8"
                           ? Precision::fp8
                           : Precision::bf16;
  training.fp8_recipe = read_fp8_recipe(table, training.precision);
  training.fused_experts = table.flag_or("fused_experts", false);
  training.compressed_activations = table.flag_or("compressed_activations", false);
  training.fp32_gradients =
      table.choice_or("gradient_precision", {"fp32", "bf16"}, "fp32") == "fp32";
  training.fp32_moments = table.choice_or("moment_precision", {"fp32", "bf16"}, "fp32") == "fp32";
  training.master_weights = table.flag_or("master_weights", true);
  training.expandable_segments = table.flag_or("expandable_segments", false);
  table.finish();
  return training;
}

/// A list of module names, as values of an enum in the order of `names`.
template <typename Module>
std::set<Module> read_modules(const TomlTable& table, const std::string& key,
                              const std::string& purpose, const std::vector<std::string>& names) {
  std::set<Module> modules;
  for (const TomlValue& value : table.list(key)) {
    const auto known = std::find(names.begin(), names.end(), value.text);
    if (known == names.end())
      table.fail(key, fmt::format("there is no module \"{}\" to {}", value.text, purpose),
                 fmt::format("the modules are {}", fmt::join(names, ", ")));
    modules.insert(static_cast<Module>(known - names.begin()));
  }
  return modules;
}

void read_recompute(const TomlTable& table, ParallelPlan& plan) {
  const std::string recompute = table.choice_or("recompute", {"none", "selective", "full"}, "none");
  plan.recompute = recompute == "full"        ? Recompute::full
                   : recompute == "selective" ? Recompute::selective
                                              : Recompute::none;
  if (!table.has("recompute_modules")) {
    plan.recompute_modules = {RecomputeModule::core_attention}; // Megatron-Core's default
    return;
  }
  if (plan.recompute != Recompute::selective)
    table.fail("recompute_modules", "only selective recompute has modules",
               "use recompute = \"selective\"");
  plan.recompute_modules = read_modules<RecomputeModule>(table, "recompute_modules", "recompute",
                                                         recompute_module_names());
}

void read_parallel_table(const TomlTable& table, const ModelSpec& model, ParallelPlan& plan) {
  plan.tensor = table.integer_or("tensor", count, 1);
  plan.pipeline = table.integer_or("pipeline", count, 1);
  plan.virtual_stages = table.integer_or("virtual_stages", count, 1);
  plan.context = table.integer_or("context", count, 1);
  plan.expert_tensor = table.integer_or("expert_tensor", count, 1);
  plan.sequence_parallel = table.flag_or("sequence_parallel", true);
  const std::string schedule =
      table.choice_or("schedule", {"1f1b", "interleaved", "zero-bubble", "dualpipe"}, "1f1b");
  plan.schedule = schedule == "interleaved"   ? Schedule::interleaved
                  : schedule == "zero-bubble" ? Schedule::zero_bubble
                  : schedule == "dualpipe"    ? Schedule::dual_pipe
                                              : Schedule::one_forward_one_backward;
  plan.zero_stage = table.integer_or("zero_stage", {0, 3}, 1);
  read_recompute(table, plan);
  plan.offload_layers = table.integer_or("offload_layers", {0, layers_max}, 0);
  if (table.has("offload_modules"))
    plan.offload_modules =
        read_modules<OffloadModule>(table, "offload_modules", "offload", offload_module_names());
  const auto layers = static_cast<std::int64_t>(model.layers.size());
  if (table.has("layers_per_stage"))
    plan.layers_per_stage = table.integers("layers_per_stage", {0, count.high});
  else
    // A pipeline longer than the model is refused with the plan; it must not cost memory before.
    plan.layers_per_stage = spread_layers(layers, std::min(plan.virtual_stage_count(), layers));
  if (table.has("expert") && table.is_text("expert")) {
    if (const std::string word = table.text("expert"); word != "auto")
      table.fail("expert", fmt::format("\"{}\" is neither a whole number nor \"auto\"", word));
    plan.expert =
        largest_expert_parallel(model.is_moe() ? model.experts.experts : 0,
                                std::max<std::int64_t>(1, plan.stage_ranks() / plan.expert_tensor));
  } else {
    plan.expert = table.integer_or("expert", count, 1);
  }
  table.finish();
}

/// The place of a name that a table has chosen of `names`, as in the enumeration of that order.
template <typename Enumeration>
Enumeration chosen_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<Enumeration>(std::find(names.begin(), names.end(), name) - names.begin());
}

CommunicationSpec read_communication_table(const TomlTable& table, ParallelPlan& plan) {
  CommunicationSpec communication;
  const std::vector<std::string> dispatchers = {"alltoall", "allgather", "hierarchical",
                                                "node-limited"};
  communication.dispatcher =
      chosen_of<Dispatcher>(dispatchers, table.choice_or("dispatcher", dispatchers, "alltoall"));
  if (table.has("dispatch_library")) {
    const std::vector<std::string>& libraries = dispatch_library_names();
    communication.library =
        chosen_of<DispatchLibrary>(libraries, table.choice("dispatch_library", libraries));
    if (communication.dispatcher != Dispatcher::node_limited)
      table.fail("dispatch_library", "only the node-limited dispatcher has a library to choose",
                 "use dispatcher = \"node-limited\"");
  }
  communication.dispatch_precision =
      table.choice_or("dispatch_precision", {"bf16", "fp8"}, "bf16") == "fp8" ? Precision::fp8
                                                                              : Precision::bf16;
  const std::string overlap =
      table.choice_or("overlap", {"none", "shared-expert", "batch"}, "none");
  communication.overlap_shared_expert = overlap == "shared-expert";
  plan.overlap_batches = overlap == "batch";
  communication.wait_for_ranks =
      microseconds(table.number_or("wait_for_ranks_us", {0.0, 1e6}, 0.0));
  communication.overlap_tensor = table.flag_or("overlap_tensor", false);
  communication.overlap_data_parallel = table.flag_or("overlap_data_parallel", true);
  table.finish();
  return communication;
}

/// Whether the host posts the messages of dispatch and combine to other domains: UCCL-EP leaves
/// them to it on any NIC, DeepEP on EFA, to which a GPU cannot post its own.
bool host_posts(const Workload& workload, const NodeSpec& node) {
  const CommunicationSpec& communication = workload.communication;
  if (communication.dispatcher != Dispatcher::node_limited || workload.plan.expert == 1)
    return false;
  const bool posts = communication.library == DispatchLibrary::uccl_ep ||
                     (communication.library == DispatchLibrary::deepep && node.nic_medium == "efa");
  for (std::int64_t stage = 0; posts && stage < workload.plan.pipeline; ++stage)
    for (const std::vector<RankId>& ranks :
         groups_of_stage(workload.plan, GroupKind::expert, stage))
      if (index(ranks.front()) / node.scale_up_gpus != index(ranks.back()) / node.scale_up_gpus)
        return true;
  return false;
}

/// A table that may be left out as a whole.
TomlTable table_or_empty(const TomlTable& root, const std::string& key, const TomlDocument& empty) {
  const auto table = root.optional_table(key);
  return table ? *table : empty.root();
}

} // namespace

ClusterChoice read_cluster(const TomlTable& table, const fs::path& folder) {
  ClusterChoice cluster;
  cluster.file = folder / table.text("topology");
  const auto read_file = [&](const fs::path& file) { return read_topology(file, table); };
  cluster.topology = read_named(table, "topology", cluster.file, read_file);
  cluster.gpus = table.integer("gpus", count);
  table.finish();
  if (cluster.gpus > cluster.topology.gpus_max)
    throw IllegalScenario(table.where("gpus"),
                          fmt::format("{} GPUs are more than the {} that {} holds", cluster.gpus,
                                      cluster.topology.gpus_max, cluster.topology.name));
  // Faults and explicit graphs may not hold the job together.
  if (!cluster.topology.faults.empty() ||
      cluster.topology.fabric.kind == FabricKind::explicit_graph)
    read_named(table, "topology", cluster.file,
               [&](const fs::path&) { return Topology(cluster.topology, cluster.gpus).gpus(); });
  return cluster;
}

Fidelity read_fidelity(const TomlTable& root) {
  const auto table = root.optional_table("simulation");
  if (!table)
    return Fidelity::folded;
  const std::string fidelity = table->choice_or("fidelity", {"folded", "ranks", "flows"}, "folded");
  table->finish();
  return fidelity == "flows"   ? Fidelity::flows
         : fidelity == "ranks" ? Fidelity::ranks
                               : Fidelity::folded;
}

Scenario read_scenario(const fs::path& path, const std::vector<std::string>& settings) {
  std::vector<TomlSetting> parsed;
  std::transform(settings.begin(), settings.end(), std::back_inserter(parsed), parse_setting);
  return read_scenario_with(path, parsed);
}

Scenario read_scenario_with(const fs::path& path, const std::vector<TomlSetting>& settings) {
  TomlDocument document = TomlDocument::read(path);
  for (const TomlSetting& setting : settings)
    document.set(setting);
  const TomlDocument empty = TomlDocument::parse("", path.string());
  const TomlTable root = document.root();
  const fs::path folder = path.parent_path();
  Scenario scenario;
  scenario.inputs.push_back(path);
  const TomlTable parallel = table_or_empty(root, "parallel", empty);
  const TomlTable training = root.table("training");
  scenario.workload.model = read_model_table(root.table("model"), folder, scenario);
  const TomlTable cluster = root.table("cluster");
  ClusterChoice choice = read_cluster(cluster, folder);
  scenario.inputs.push_back(choice.file);
  scenario.topology = std::move(choice.topology);
  scenario.workload.plan.gpus = choice.gpus;
  scenario.workload.training = read_training_table(training, scenario.workload.graphs);
  read_parallel_table(parallel, scenario.workload.model, scenario.workload.plan);
  scenario.workload.routing.scale_up_gpus = scenario.topology.node.scale_up_gpus;
  scenario.workload.routing = read_routing_table(table_or_empty(root, "routing", empty), folder,
                                                 scenario.workload, scenario.inputs);
  const TomlTable communication = table_or_empty(root, "communication", empty);
  scenario.workload.communication = read_communication_table(communication, scenario.workload.plan);
  scenario.fidelity = read_fidelity(root);
  root.finish();
  const Workload& workload = scenario.workload;
  if (const auto fault = find_plan_fault(workload.plan, workload.model, workload.training)) {
    const TomlTable& table = fault->table == "cluster"         ? cluster
                             : fault->table == "training"      ? training
                             : fault->table == "communication" ? communication
                                                               : parallel;
    throw IllegalScenario(table.where(fault->key), fault->message, fault->hint);
  }
  scenario.workload.communication.host_posts = host_posts(workload, scenario.topology.node);
  return scenario;
}

} // namespace moesim
