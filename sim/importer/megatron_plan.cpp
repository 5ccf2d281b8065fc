#include "sim/importer/imported_scenario.hpp"

#include "sim/importer/megatron_cut.hpp"
#include "sim/workload/offload.hpp"
#include "sim/workload/recompute.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace moesim {

namespace {

/// Writes the table of the parallel plan, key by key.
class PlanReader {
public:
  PlanReader(const MegatronArguments& arguments, const ImportedModel& model)
      : arguments_(arguments), model_(model) {}

  ImportedTable read() {
    add_degree("tensor", "tensor-model-parallel-size");
    add_degree("pipeline", "pipeline-model-parallel-size");
    const PipelineCut cut = read_pipeline_cut(arguments_, model_);
    if (!cut.note.empty())
      note(cut.note);
    if (!cut.argument.empty())
      add("virtual_stages", std::to_string(cut.virtual_stages), cut.argument);
    add_schedule(cut.virtual_stages);
    if (!cut.layers.empty())
      table_.values.push_back({"layers_per_stage", fmt::format("[{}]", fmt::join(cut.layers, ", ")),
                               ValueOrigin::derived, cut.source});
    add_degree("context", "context-parallel-size");
    if (model_.is_moe)
      add_expert_degrees();
    add_flag("sequence_parallel", "sequence-parallel");
    add_sharding();
    add_recompute();
    add_offloading();
    return std::move(table_);
  }

private:
  bool has(const char* name) const { return arguments_.has(name); }

  void add(const std::string& key, const std::string& value, const std::string& argument) {
    table_.values.push_back({key, value, ValueOrigin::read, arguments_.source_of(argument)});
  }
  void assume(const std::string& key, const std::string& value, const std::string& note) {
    table_.values.push_back({key, value, ValueOrigin::assumed, note});
  }
  void note(const std::string& text) { table_.values.push_back({"", "", ValueOrigin::read, text}); }

  void add_degree(const std::string& key, const std::string& argument) {
    if (arguments_.has(argument))
      add(key, std::to_string(arguments_.integer(argument)), argument);
    else
      assume(key, "1", "Megatron's default");
  }

  void add_flag(const std::string& key, const std::string& argument) {
    if (arguments_.has(argument))
      add(key, "true", argument);
    else
      assume(key, "false", fmt::format("there is no --{}", argument));
  }

  void add_expert_degrees() {
    add_degree("expert", "expert-model-parallel-size");
    if (has("expert-tensor-parallel-size"))
      return add_degree("expert_tensor", "expert-tensor-parallel-size");
    assume("expert_tensor", std::to_string(arguments_.integer_or("tensor-model-parallel-size", 1)),
           "Megatron's default: the tensor degree");
  }

  void add_schedule(std::int64_t virtual_stages) {
    table_.values.push_back({"schedule", virtual_stages > 1 ? "\"interleaved\"" : "\"1f1b\"",
                             ValueOrigin::derived,
                             virtual_stages > 1 ? "what Megatron runs with virtual stages"
                                                : "what Megatron runs without virtual stages"});
  }

  // --- memory ---

  void add_sharding() {
    const bool fsdp = has("use-megatron-fsdp") || has("use-custom-fsdp");
    if (has("use-torch-fsdp2"))
      return add("zero_stage", has("torch-fsdp2-no-reshard-after-forward") ? "2" : "3",
                 "use-torch-fsdp2");
    if (fsdp && has("data-parallel-sharding-strategy")) {
      const std::vector<std::string> strategies = {"no_shard", "optim", "optim_grads",
                                                   "optim_grads_params"};
      const std::string strategy = arguments_.choice("data-parallel-sharding-strategy", strategies);
      const auto stage = std::find(strategies.begin(), strategies.end(), strategy);
      return add("zero_stage", std::to_string(stage - strategies.begin()),
                 "data-parallel-sharding-strategy");
    }
    if (has("use-distributed-optimizer"))
      return add("zero_stage", "1", "use-distributed-optimizer");
    assume("zero_stage", "0", "there is no --use-distributed-optimizer");
  }

  void add_recompute() {
    std::string granularity;
    std::string argument = "recompute-granularity";
    if (has("recompute-granularity")) {
      granularity = arguments_.choice(argument, {"full", "selective"});
    } else if (has("recompute-activations")) {
      argument = "recompute-activations";
      granularity = "selective";
    }
    if (granularity.empty() && has("moe-layer-recompute")) { // its old name
      add("recompute", "\"selective\"", "moe-layer-recompute");
      return add("recompute_modules", "[\"moe\"]", "moe-layer-recompute");
    }
    if (granularity.empty())
      return assume("recompute", "\"none\"", "there is no --recompute-granularity");
    add("recompute", fmt::format("\"{}\"", granularity), argument);
    if (granularity == "full")
      return note_partial_recompute();
    if (!has("recompute-modules"))
      return assume("recompute_modules", "[\"core_attn\"]", "Megatron's default");
    add_modules("recompute_modules", "recompute-modules", names_of(recompute_module_names));
  }

  void add_offloading() {
    if (has("cpu-offloading") && has("cpu-offloading-num-layers"))
      add("offload_layers", std::to_string(arguments_.integer("cpu-offloading-num-layers")),
          "cpu-offloading-num-layers");
    if (has("fine-grained-activation-offloading") && has("offload-modules"))
      add_modules("offload_modules", "offload-modules", names_of(offload_module_names));
  }

  void add_modules(const std::string& key, const std::string& argument,
                   const std::vector<std::string>& known) {
    std::vector<std::string> modules;
    for (const std::string& module : arguments_.list(argument)) {
      if (std::find(known.begin(), known.end(), module) == known.end())
        arguments_.fail(
            argument,
            fmt::format("\"{}\" is none of Megatron's modules {}", module, fmt::join(known, ", ")),
            suggest_name(module, known));
      modules.push_back(fmt::format("\"{}\"", module));
    }
    add(key, fmt::format("[{}]", fmt::join(modules, ", ")), argument);
  }

  /// Notes full recomputation of a part of the layers, or of several at once, which has no key.
  void note_partial_recompute() {
    if (!has("recompute-num-layers") || !has("recompute-method"))
      return;
    const std::string method = arguments_.choice("recompute-method", {"uniform", "block"});
    const std::int64_t layers = arguments_.integer("recompute-num-layers");
    const std::string source = arguments_.source_of("recompute-num-layers");
    if (method == "uniform" && layers > 1)
      note(fmt::format("not modelled: --recompute-num-layers {}: every layer's input is kept, not "
                       "that of every {} layers ({})",
                       layers, layers, source));
    if (method == "block" && layers < model_.layers)
      note(fmt::format("not modelled: --recompute-method block: all layers are recomputed, not "
                       "{} of each stage ({})",
                       layers, source));
  }

  const MegatronArguments& arguments_;
  const ImportedModel& model_;
  ImportedTable table_{"parallel", {}};
};

} // namespace

ImportedTable read_megatron_plan(const MegatronArguments& arguments, const ImportedModel& model) {
  return PlanReader(arguments, model).read();
}

} // namespace moesim
