#include "sim/importer/imported_scenario.hpp"

#include "sim/platform/topology_spec.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace moesim {

namespace {

using Arguments = MegatronArguments;

/// Data-parallel degree: number of replicas that share the micro-batches.
std::int64_t data_degree(const Arguments& arguments, std::int64_t gpus) {
  return gpus / (arguments.integer_or("tensor-model-parallel-size", 1) *
                 arguments.integer_or("pipeline-model-parallel-size", 1) *
                 arguments.integer_or("context-parallel-size", 1));
}

/// The number of GPUs. A launcher that starts a process for each GPU of its node takes those of the
/// topology's.
ImportedValue gpus_of(const Arguments& arguments, const ScenarioOptions& options,
                      const TopologySpec& topology) {
  if (options.gpus)
    return {"gpus", std::to_string(*options.gpus), ValueOrigin::read, "given with --gpus"};
  if (!arguments.has("nproc-per-node") && arguments.has("world-size"))
    return {"gpus", std::to_string(arguments.integer("world-size")), ValueOrigin::read,
            arguments.source_of("world-size")};
  const std::int64_t nodes = arguments.integer_or("nnodes", 1);
  if (!arguments.has("nproc-per-node") || arguments.get("nproc-per-node").values.front().gap)
    return {"gpus", std::to_string(nodes * topology.node.gpus), ValueOrigin::assumed,
            fmt::format("{} nodes of the topology, all GPUs of each: the file does not tell them",
                        nodes)};
  const std::int64_t each = arguments.integer("nproc-per-node");
  return {"gpus", std::to_string(nodes * each), ValueOrigin::derived,
          fmt::format("{} nodes of {} processes, a GPU each: {}", nodes, each,
                      arguments.source_of("nproc-per-node"))};
}

ImportedValue precision_of(const Arguments& arguments) {
  if (arguments.has("fp4-format"))
    return {"precision", "\"nvfp4\"", ValueOrigin::read, arguments.source_of("fp4-format")};
  if (arguments.has("fp8-format"))
    return {"precision", "\"fp8\"", ValueOrigin::read, arguments.source_of("fp8-format")};
  if (arguments.has("bf16"))
    return {"precision", "\"bf16\"", ValueOrigin::read, arguments.source_of("bf16")};
  if (arguments.has("fp16"))
    return {"precision", "\"bf16\"", ValueOrigin::assumed,
            fmt::format("fp16 has the same width and peak; {}", arguments.source_of("fp16"))};
  return {"precision", "\"bf16\"", ValueOrigin::assumed,
          "the file asks for fp32, which is not modelled: it has neither --bf16 nor --fp16"};
}

/// The recipe of scales of a run in fp8. Megatron's default, delayed scaling, has one scale a
/// tensor, from earlier steps.
ImportedValue fp8_recipe_of(const Arguments& arguments) {
  const std::string key = "fp8_recipe";
  if (!arguments.has("fp8-recipe"))
    return {key, "\"per-tensor\"", ValueOrigin::derived, "Megatron's default, delayed scaling"};
  const std::string recipe = arguments.text("fp8-recipe");
  const std::string source = arguments.source_of("fp8-recipe");
  if (recipe == "blockwise" || recipe == "mxfp8")
    return {key, "\"" + recipe + "\"", ValueOrigin::read, source};
  const bool known = recipe == "tensorwise" || recipe == "delayed";
  return {key, "\"per-tensor\"", known ? ValueOrigin::read : ValueOrigin::assumed, source};
}

/// The kernels of a step that run as CUDA graphs. Since 2026 the full iteration is an
/// implementation, and the scope is called modules.
ImportedValue graphs_of(const Arguments& arguments) {
  const std::string key = "cuda_graph_scope";
  std::string source;
  for (const char* name : {"cuda-graph-impl", "enable-cuda-graph", "external-cuda-graph"})
    if (arguments.has(name))
      source = name;
  if (source.empty() || (source == "cuda-graph-impl" && arguments.text(source) == "none"))
    return {key, "\"none\"", ValueOrigin::derived,
            "no argument captures CUDA graphs: Megatron's default"};
  if (source == "cuda-graph-impl" && arguments.text(source) == "full_iteration")
    return {key, "[\"full_iteration\"]", ValueOrigin::read, arguments.source_of(source)};
  const std::string parts =
      arguments.has("cuda-graph-modules") ? "cuda-graph-modules" : "cuda-graph-scope";
  if (!arguments.has(parts))
    return {key, "[\"attn\", \"mlp\"]", ValueOrigin::assumed,
            fmt::format("whole layers, of which these parts; {}", arguments.source_of(source))};
  std::vector<std::string> scopes;
  std::vector<std::string> others;
  for (const std::string& scope : arguments.list(parts))
    if (scope == "full" || scope == "attn" || scope == "moe_router" || scope == "moe_preprocess" ||
        scope == "mlp" || scope == "full_iteration")
      scopes.push_back(scope == "full" ? "\"attn\", \"mlp\"" : "\"" + scope + "\"");
    else
      others.push_back(scope);
  const std::string without =
      others.empty() ? "" : fmt::format(", without {}", fmt::join(others, ", "));
  return {key, scopes.empty() ? "\"none\"" : fmt::format("[{}]", fmt::join(scopes, ", ")),
          others.empty() ? ValueOrigin::read : ValueOrigin::assumed,
          arguments.source_of(parts) + without};
}

ImportedValue gradients_of(const Arguments& arguments) {
  const std::string key = "gradient_precision";
  if (arguments.has("grad-reduce-in-bf16"))
    return {key, "\"bf16\"", ValueOrigin::read, arguments.source_of("grad-reduce-in-bf16")};
  if (!arguments.has("main-grads-dtype"))
    return {key, "\"fp32\"", ValueOrigin::derived, "there is no --grad-reduce-in-bf16"};
  return {key, arguments.text("main-grads-dtype") == "bf16" ? "\"bf16\"" : "\"fp32\"",
          ValueOrigin::read, arguments.source_of("main-grads-dtype")};
}

ImportedTable training_table(const Arguments& arguments, std::int64_t gpus) {
  ImportedTable table{"training", {}};
  const auto add = [&](const std::string& key, const std::string& argument) {
    table.values.push_back({key, std::to_string(arguments.integer(argument)), ValueOrigin::read,
                            arguments.source_of(argument)});
  };
  add("sequence_length", "seq-length");
  if (arguments.has("global-batch-size"))
    add("global_batch", "global-batch-size");
  else
    table.values.push_back({"global_batch",
                            std::to_string(std::max<std::int64_t>(1, data_degree(arguments, gpus)) *
                                           arguments.integer("micro-batch-size")),
                            ValueOrigin::assumed,
                            "Megatron's default: one micro-batch for each replica"});
  add("micro_batch", "micro-batch-size");
  table.values.push_back(precision_of(arguments));
  if (arguments.has("fp8-format"))
    table.values.push_back(fp8_recipe_of(arguments));
  table.values.push_back(gradients_of(arguments));
  if (arguments.has("exp-avg-dtype"))
    table.values.push_back({"moment_precision",
                            arguments.text("exp-avg-dtype") == "bf16" ? "\"bf16\"" : "\"fp32\"",
                            ValueOrigin::read, arguments.source_of("exp-avg-dtype")});
  table.values.push_back(graphs_of(arguments));
  return table;
}

ImportedTable routing_table(const Arguments& arguments) {
  ImportedTable table{"routing", {}};
  table.values.push_back({"policy", "\"top-k\"", ValueOrigin::derived, "Megatron's router"});
  table.values.push_back(
      {"load", "\"uniform\"", ValueOrigin::assumed, "no argument tells how even the load is"});
  if (!arguments.has("moe-expert-capacity-factor"))
    table.values.push_back({"capacity_factor", "0.0", ValueOrigin::derived,
                            "dropless: there is no --moe-expert-capacity-factor"});
  else
    table.values.push_back(
        {"capacity_factor",
         fmt::format("{:.6}", std::max(0.0, arguments.number("moe-expert-capacity-factor"))),
         ValueOrigin::read, arguments.source_of("moe-expert-capacity-factor")});
  if (const std::string pad = "moe-pad-expert-input-to-capacity"; arguments.has(pad))
    table.values.push_back(
        {"pad_to_capacity", "true", ValueOrigin::read, arguments.source_of(pad)});
  return table;
}

/// The dispatcher. A flexible one sends a token once to each scale-up domain, with the kernels of
/// one of two libraries.
std::vector<ImportedValue> dispatcher_of(const Arguments& arguments) {
  const std::string type = "moe-token-dispatcher-type";
  if (!arguments.has(type))
    return {{"dispatcher", "\"allgather\"", ValueOrigin::assumed, "Megatron's default"}};
  const std::string dispatcher =
      arguments.choice(type, {"alltoall", "allgather", "flex", "alltoall_seq"});
  const std::string source = arguments.source_of(type);
  if (dispatcher != "flex")
    return {{"dispatcher", dispatcher == "allgather" ? "\"allgather\"" : "\"alltoall\"",
             ValueOrigin::read, source}};
  const ImportedValue limited = {"dispatcher", "\"node-limited\"", ValueOrigin::derived,
                                 "a token once to each scale-up domain: " + source};
  const std::string backend = "moe-flex-dispatcher-backend";
  if (arguments.has(backend))
    return {limited,
            {"dispatch_library",
             fmt::format("\"{}\"", arguments.choice(backend, {"deepep", "hybridep"})),
             ValueOrigin::read, arguments.source_of(backend)}};
  const bool named = arguments.has("moe-enable-deepep");
  return {limited,
          {"dispatch_library", "\"deepep\"", named ? ValueOrigin::read : ValueOrigin::assumed,
           named ? arguments.source_of("moe-enable-deepep") : "Megatron's default"}};
}

/// The overlap of data parallelism: one key for gradients and weights.
ImportedValue data_parallel_overlap(const Arguments& arguments) {
  const std::string key = "overlap_data_parallel";
  const bool gradients = arguments.has("overlap-grad-reduce");
  const bool weights = arguments.has("overlap-param-gather");
  if (gradients && !weights && arguments.has("use-distributed-optimizer"))
    return {key, "true", ValueOrigin::assumed,
            fmt::format("for gradients, and taken for weights too: {}",
                        arguments.source_of("overlap-grad-reduce"))};
  if (gradients)
    return {key, "true", ValueOrigin::read, arguments.source_of("overlap-grad-reduce")};
  return {key, "false", ValueOrigin::derived, "there is no --overlap-grad-reduce"};
}

ImportedValue overlap_of(const Arguments& arguments) {
  if (arguments.has("overlap-moe-expert-parallel-comm"))
    return {"overlap", "\"batch\"", ValueOrigin::read,
            arguments.source_of("overlap-moe-expert-parallel-comm")};
  if (arguments.has("moe-shared-expert-overlap"))
    return {"overlap", "\"shared-expert\"", ValueOrigin::read,
            arguments.source_of("moe-shared-expert-overlap")};
  return {"overlap", "\"none\"", ValueOrigin::derived,
          "no argument hides the experts' communication"};
}

ImportedTable communication_table(const Arguments& arguments, bool is_moe) {
  ImportedTable table{"communication", {}};
  if (is_moe) {
    for (const ImportedValue& value : dispatcher_of(arguments))
      table.values.push_back(value);
    table.values.push_back({"dispatch_precision", "\"bf16\"", ValueOrigin::assumed,
                            "Megatron dispatches what the router is given"});
    table.values.push_back(overlap_of(arguments));
  }
  table.values.push_back(data_parallel_overlap(arguments));
  if (arguments.has("tp-comm-overlap"))
    table.values.push_back(
        {"overlap_tensor", "true", ValueOrigin::read, arguments.source_of("tp-comm-overlap")});
  return table;
}

/// Adds comments for arguments that change a step but have no key.
void add_notes(const Arguments& arguments, std::vector<ImportedTable>& tables) {
  const auto note = [&](const MegatronArgument& argument, const std::string& table,
                        const std::string& why) {
    const auto found = std::find_if(tables.begin(), tables.end(),
                                    [&](const ImportedTable& one) { return one.name == table; });
    (found == tables.end() ? tables.front() : *found)
        .values.push_back(
            {"", "", ValueOrigin::read,
             fmt::format("not modelled: {}, {}{}{}", Arguments::written(argument),
                         arguments.position_of(argument), why.empty() ? "" : ": ", why)});
  };
  for (const MegatronArgument* argument : arguments.all_of(ArgumentUse::approximated))
    if (const ArgumentRule* rule = find_argument_rule(argument->name); !is_inert(*argument))
      note(*argument, rule->table, rule->note);
  if (arguments.has("position-embedding-type") &&
      arguments.text("position-embedding-type") == "learned_absolute")
    note(arguments.get("position-embedding-type"), "model", "its table of positions is left out");
}

} // namespace

ImportedScenario read_megatron(const std::filesystem::path& file, const ScenarioOptions& options) {
  Arguments arguments = read_megatron_arguments(file, options.definitions);
  return scenario_of(arguments, options);
}

ImportedScenario scenario_of(Arguments& arguments, const ScenarioOptions& options) {
  read_argument_text("--with", options.more_arguments, options.definitions, arguments);
  add_slime_defaults(arguments);
  arguments.refuse_unmodelled(!options.model.empty());
  arguments.refuse_incomplete(options.gpus.has_value(), !options.model.empty());
  const ImportedModel model = options.model.empty()
                                  ? read_megatron_model(arguments)
                                  : read_published_model(arguments, options.model);
  const ImportedValue gpus = gpus_of(arguments, options, read_topology(options.topology));
  ImportedScenario scenario;
  scenario.config = model.config;
  scenario.tables.push_back(model.table);
  scenario.tables.push_back({"cluster",
                             {{"topology", fmt::format("\"{}\"", options.topology.generic_string()),
                               ValueOrigin::read, "given with --topology"},
                              gpus}});
  scenario.tables.push_back(read_megatron_plan(arguments, model));
  scenario.tables.push_back(training_table(arguments, std::stoll(gpus.value)));
  if (model.is_moe)
    scenario.tables.push_back(routing_table(arguments));
  scenario.tables.push_back(communication_table(arguments, model.is_moe));
  scenario.tables.push_back(
      {"simulation", {{"fidelity", "\"folded\"", ValueOrigin::derived, "the default"}}});
  add_notes(arguments, scenario.tables);
  for (const MegatronArgument& argument : arguments.unknown()) {
    const std::string nearest = suggest_name(argument.name, argument_names());
    scenario.remarks.push_back(fmt::format(
        "not used: {} ({}:{}): not known here{}{}", Arguments::written(argument),
        argument.where.file, argument.where.line, nearest.empty() ? "" : "; ", nearest));
  }
  for (const std::string& remark : arguments.remarks())
    scenario.remarks.push_back(remark);
  return scenario;
}

} // namespace moesim
