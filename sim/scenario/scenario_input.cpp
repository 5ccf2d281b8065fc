#include "sim/scenario/scenario_input.hpp"

#include "sim/input/named_file.hpp"
#include "sim/scenario/failures_input.hpp"
#include "sim/scenario/graphs_input.hpp"
#include "sim/scenario/search_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

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

ModelInput parse_model(const TomlTable& table, const fs::path& folder) {
  ModelInput model;
  model.config = folder / table.text("config");
  const std::string family = table.text_or("family", "");
  model.published = read_named(table, "config", model.config,
                               [&](const fs::path& file) { return read_model(file, family); });
  ModelOverrides& overrides = model.overrides;
  overrides.layers = optional_count(table, "layers", {1, layers_max});
  overrides.experts = optional_count(table, "experts", {0, count.high});
  overrides.experts_per_token = optional_count(table, "experts_per_token");
  overrides.expert_hidden = optional_count(table, "expert_hidden");
  overrides.shared_experts = optional_count(table, "shared_experts", {0, count.high});
  overrides.mtp_layers = optional_count(table, "mtp_layers", {0, layers_max});
  table.finish();
  return model;
}

Fp8Recipe parse_fp8_recipe(const TomlTable& table, Precision precision) {
  if (table.has("fp8_recipe") && precision != Precision::fp8)
    throw InputError(table.where("fp8_recipe"), "fp8_recipe: the training does not run in fp8",
                     "set precision = \"fp8\", or leave it out");
  return chosen_or(table, "fp8_recipe", fp8_recipe_names, Fp8Recipe::blockwise);
}

/// In sequences; a scenario may say it in tokens.
std::int64_t parse_global_batch(const TomlTable& table, std::int64_t sequence_length) {
  if (!table.has("global_batch_tokens"))
    return table.integer("global_batch", count);
  if (table.has("global_batch"))
    table.fail("global_batch_tokens", "the global batch is given twice",
               "leave out global_batch, which counts sequences, or global_batch_tokens");
  const std::int64_t tokens = table.integer("global_batch_tokens", {1, 1'000'000'000'000});
  if (tokens % sequence_length != 0)
    table.fail(
        "global_batch_tokens",
        fmt::format("{} tokens are no whole number of sequences of {}", tokens, sequence_length),
        fmt::format("the nearest that is: {}", nearest_multiple(tokens, sequence_length)));
  return tokens / sequence_length;
}

void parse_training(const TomlTable& table, ScenarioInput& input) {
  TrainingSpec& training = input.training;
  training.sequence_length = table.integer("sequence_length", count);
  training.global_batch = parse_global_batch(table, training.sequence_length);
  if (table.has("tokens"))
    input.tokens = table.number("tokens", {1.0, 1e18});
  if (!input.search) {
    training.micro_batch = table.integer_or("micro_batch", count, 1);
    if (table.has("cuda_graph_scope"))
      input.graphs = parse_scope(table, "cuda_graph_scope");
  }
  training.precision =
      value_named(precision_names, table.choice_or("precision", {"bf16", "fp8", "nvfp4"}, "bf16"))
          .value();
  training.fp8_recipe = parse_fp8_recipe(table, training.precision);
  training.fused_experts = table.flag_or("fused_experts", false);
  training.compressed_activations = table.flag_or("compressed_activations", false);
  training.fp32_gradients =
      table.choice_or("gradient_precision", {"fp32", "bf16"}, "fp32") == "fp32";
  training.fp32_moments = table.choice_or("moment_precision", {"fp32", "bf16"}, "fp32") == "fp32";
  training.master_weights = table.flag_or("master_weights", true);
  training.fp32_shards = table.choice_or("weight_shards", {"bf16", "fp32"}, "bf16") == "fp32";
  if (training.fp32_shards && !training.master_weights)
    table.fail("weight_shards", "shards in fp32 are the master weights",
               "leave master_weights out");
  training.attention =
      chosen_or(table, "attention", attention_kernels_names, AttentionKernels::fused);
  constexpr Range<double> dropout = {0.0, 0.99};
  training.attention_dropout = table.number_or("attention_dropout", dropout, 0.0);
  training.hidden_dropout = table.number_or("hidden_dropout", dropout, 0.0);
  training.expandable_segments = table.flag_or("expandable_segments", false);
  table.finish();
}

void parse_recompute(const TomlTable& table, ParallelPlan& plan) {
  plan.recompute = chosen_or(table, "recompute", recompute_names, Recompute::none);
  if (!table.has("recompute_modules")) {
    plan.recompute_modules = {RecomputeModule::core_attention}; // Megatron-Core's default
    return;
  }
  if (plan.recompute != Recompute::selective)
    table.fail("recompute_modules", "only selective recompute has modules",
               "use recompute = \"selective\"");
  plan.recompute_modules =
      parse_modules(table, "recompute_modules", "recompute", recompute_module_names);
}

/// Nothing for "auto".
std::optional<std::int64_t> parse_expert_degree(const TomlTable& table) {
  if (!table.has("expert") || !table.is_text("expert"))
    return table.integer_or("expert", count, 1);
  if (const std::string word = table.text("expert"); word != "auto")
    table.fail("expert", fmt::format("\"{}\" is neither a whole number nor \"auto\"", word));
  return std::nullopt;
}

/// The degrees and the schedule of a fixed plan.
void parse_degrees(const TomlTable& table, PlanInput& input) {
  ParallelPlan& plan = input.written;
  plan.tensor = table.integer_or("tensor", count, 1);
  plan.pipeline = table.integer_or("pipeline", count, 1);
  plan.virtual_stages = table.integer_or("virtual_stages", count, 1);
  plan.context = table.integer_or("context", count, 1);
  plan.expert_tensor = table.integer_or("expert_tensor", count, 1);
  plan.schedule =
      schedule_named(table.choice_or("schedule", schedule_names(), schedules.front()->name));
  plan.zero_stage = table.integer_or("zero_stage", {0, 3}, 1);
  parse_recompute(table, plan);
  if (table.has("layers_per_stage"))
    input.layers_per_stage = table.integers("layers_per_stage", {0, count.high});
  input.expert = parse_expert_degree(table);
}

void parse_parallel(const TomlTable& table, ScenarioInput& input) {
  ParallelPlan& plan = input.plan.written;
  plan.sequence_parallel = table.flag_or("sequence_parallel", true);
  plan.offload_layers = table.integer_or("offload_layers", {0, layers_max}, 0);
  if (table.has("offload_modules"))
    plan.offload_modules = parse_modules(table, "offload_modules", "offload", offload_module_names);
  if (!input.search)
    parse_degrees(table, input.plan);
  if (input.training.fp32_shards && !input.search && plan.zero_stage < 3)
    table.fail("zero_stage", "training.weight_shards = \"fp32\": no weights are sharded",
               "use zero_stage = 3");
  table.finish();
}

/// The dispatcher, its library and the overlap of a fixed plan.
void parse_dispatch(const TomlTable& table, ScenarioInput& input) {
  CommunicationSpec& communication = input.communication;
  communication.dispatcher =
      chosen_or(table, "dispatcher", dispatcher_names, Dispatcher::all_to_all);
  if (table.has("dispatch_library")) {
    communication.library = chosen(table, "dispatch_library", dispatch_library_names);
    if (communication.dispatcher != Dispatcher::node_limited)
      table.fail("dispatch_library", "only the node-limited dispatcher has a library to choose",
                 "use dispatcher = \"node-limited\"");
  }
  const Overlap overlap = chosen_or(table, "overlap", overlap_names, Overlap::none);
  communication.overlap_shared_expert = overlap == Overlap::shared_expert;
  input.plan.written.overlap_batches = overlap == Overlap::batch;
}

void parse_communication(const TomlTable& table, ScenarioInput& input) {
  CommunicationSpec& communication = input.communication;
  if (!input.search)
    parse_dispatch(table, input);
  communication.dispatch_precision =
      table.choice_or("dispatch_precision", {"bf16", "fp8"}, "bf16") == "fp8" ? Precision::fp8
                                                                              : Precision::bf16;
  communication.wait_for_ranks =
      microseconds(table.number_or("wait_for_ranks_us", {0.0, 1e6}, 0.0));
  communication.overlap_tensor = table.flag_or("overlap_tensor", false);
  communication.overlap_data_parallel = table.flag_or("overlap_data_parallel", true);
  table.finish();
}

/// The table of a key; an empty table if the key is missing.
TomlTable table_or_empty(const TomlTable& root, const std::string& key, const TomlDocument& empty) {
  const auto table = root.optional_table(key);
  return table ? *table : empty.root();
}

/// A cluster but for the number of its GPUs.
ClusterInput parse_machine(const TomlTable& table, const fs::path& folder) {
  const fs::path file = folder / table.text("topology");
  const auto parse = [&](const fs::path& path) { return parse_topology(path, table); };
  ClusterInput cluster{file, read_named(table, "topology", file, parse), 0, table};
  cluster.topology.written.placement =
      chosen_or(table, "placement", group_placement_names, GroupPlacement::whole);
  return cluster;
}

} // namespace

ClusterInput parse_cluster(const TomlTable& table, const fs::path& folder) {
  ClusterInput cluster = parse_machine(table, folder);
  cluster.gpus = table.integer("gpus", count);
  table.finish();
  return cluster;
}

std::vector<ClusterInput> parse_clusters(const TomlTable& table, const fs::path& folder) {
  const ClusterInput cluster = parse_machine(table, folder);
  const std::vector<std::int64_t> counts = table.has("gpus") && table.is_list("gpus")
                                               ? table.integers("gpus", count)
                                               : std::vector{table.integer("gpus", count)};
  table.finish();
  std::vector<ClusterInput> clusters(counts.size(), cluster);
  for (std::size_t number = 0; number < counts.size(); ++number)
    clusters[number].gpus = counts[number];
  return clusters;
}

Fidelity parse_fidelity(const TomlTable& root) {
  const auto table = root.optional_table("simulation");
  if (!table)
    return Fidelity::folded;
  const Fidelity fidelity = chosen_or(*table, "fidelity", fidelity_names, Fidelity::folded);
  table->finish();
  return fidelity;
}

ScenarioInput parse_scenario(const fs::path& path, const std::vector<std::string>& settings) {
  std::vector<TomlSetting> parsed;
  std::transform(settings.begin(), settings.end(), std::back_inserter(parsed), parse_setting);
  return parse_scenario_with(path, parsed);
}

ScenarioTables scenario_tables(const TomlTable& root, const TomlTable& cluster,
                               const fs::path& path) {
  const TomlDocument empty = TomlDocument::parse("", path.string());
  return {.model = root.table("model"),
          .cluster = cluster,
          .training = root.table("training"),
          .parallel = table_or_empty(root, "parallel", empty),
          .routing = table_or_empty(root, "routing", empty),
          .communication = table_or_empty(root, "communication", empty)};
}

ScenarioInput parse_tables(const TomlTable& root, const ScenarioTables& tables,
                           const ClusterInput& cluster, const fs::path& path) {
  const fs::path folder = path.parent_path();
  ScenarioInput input{.file = path,
                      .model = parse_model(tables.model, folder),
                      .cluster = cluster,
                      .tables = tables};
  input.search = parse_search(tables);
  parse_training(tables.training, input);
  parse_parallel(tables.parallel, input);
  input.routing = parse_routing(tables.routing, folder);
  parse_communication(tables.communication, input);
  input.fidelity = parse_fidelity(root);
  input.failures = parse_failures(root);
  root.finish();
  return input;
}

ScenarioInput parse_scenario_with(const fs::path& path, const std::vector<TomlSetting>& settings) {
  TomlDocument document = TomlDocument::read(path);
  for (const TomlSetting& setting : settings)
    document.set(setting);
  const TomlTable root = document.root();
  const ScenarioTables tables = scenario_tables(root, root.table("cluster"), path);
  return parse_tables(root, tables, parse_cluster(tables.cluster, path.parent_path()), path);
}

} // namespace moesim
