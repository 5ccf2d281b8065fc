#include "sim/importer/imported_scenario.hpp"

#include "sim/importer/megatron_layers.hpp"
#include "sim/workload/offload.hpp"
#include "sim/workload/recompute.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace moesim {

namespace {

/// How the layers are cut, as far as the arguments tell.
struct PipelineCut {
  std::int64_t virtual_stages = 1;
  std::string argument; ///< that says so; empty: none
  /// One entry a virtual stage, in the order of the model; none: as even as can be.
  std::vector<std::int64_t> layers;
};

class PlanReader {
public:
  PlanReader(const MegatronArguments& arguments, const ImportedModel& model)
      : arguments_(arguments), model_(model),
        pipeline_(arguments.integer_or("pipeline-model-parallel-size", 1)) {}

  ImportedTable read() {
    add_degree("tensor", "tensor-model-parallel-size");
    add_degree("pipeline", "pipeline-model-parallel-size");
    const PipelineCut cut = read_cut();
    if (!cut.argument.empty())
      add("virtual_stages", std::to_string(cut.virtual_stages), cut.argument);
    add_schedule(cut.virtual_stages);
    if (!cut.layers.empty())
      table_.values.push_back({"layers_per_stage", fmt::format("[{}]", fmt::join(cut.layers, ", ")),
                               ValueOrigin::derived, source_of_cut()});
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

  // --- the cut of the layers ---

  PipelineCut read_cut() {
    if (has("pipeline-model-parallel-layout"))
      return read_layout();
    PipelineCut cut;
    const bool embedding = has("account-for-embedding-in-pipeline-split");
    const bool loss = has("account-for-loss-in-pipeline-split");
    const std::int64_t units = model_.layers + (embedding ? 1 : 0) + (loss ? 1 : 0);
    read_virtual_stages(units, cut);
    if (has("decoder-first-pipeline-num-layers") || has("decoder-last-pipeline-num-layers"))
      cut_ends(cut);
    else
      cut_evenly(units, embedding, loss, cut);
    return cut;
  }

  PipelineCut read_layout() {
    const std::string name = "pipeline-model-parallel-layout";
    std::vector<LayoutStage> stages;
    try {
      stages = parse_pipeline_layout(arguments_.text(name));
    } catch (const std::invalid_argument& error) {
      arguments_.fail(name, fmt::format("--{}: {}", name, error.what()),
                      "as in Et*3|(tt|)*29m|L: embedding, transformer layers, multi-token "
                      "prediction, loss");
    }
    const auto count = static_cast<std::int64_t>(stages.size());
    if (count % pipeline_ != 0)
      arguments_.fail(name, fmt::format("its {} stages cannot be laid on {} pipeline stages", count,
                                        pipeline_));
    PipelineCut cut{count / pipeline_, name, {}};
    std::int64_t layers = 0;
    for (const LayoutStage& stage : stages) {
      cut.layers.push_back(stage.layers);
      layers += stage.layers;
    }
    if (layers != model_.layers)
      arguments_.fail(name, fmt::format("it has {} transformer layers, and --num-layers is {}",
                                        layers, model_.layers));
    if (stages.back().mtp_layers == 0 && arguments_.has("mtp-num-layers"))
      note(
          fmt::format("not modelled: multi-token prediction in a stage of its own ({}): it runs in "
                      "the last stage",
                      arguments_.source_of(name)));
    return cut;
  }

  void read_virtual_stages(std::int64_t units, PipelineCut& cut) const {
    if (has("num-virtual-stages-per-pipeline-rank")) {
      cut.argument = "num-virtual-stages-per-pipeline-rank";
      cut.virtual_stages = arguments_.integer(cut.argument);
    } else if (has("num-layers-per-virtual-pipeline-stage")) {
      cut.argument = "num-layers-per-virtual-pipeline-stage";
      const std::int64_t layers = arguments_.integer(cut.argument);
      if (units % (pipeline_ * layers) != 0)
        arguments_.fail(cut.argument,
                        fmt::format("{} layers cannot be cut into virtual stages of {} on {} "
                                    "pipeline stages",
                                    units, layers, pipeline_));
      cut.virtual_stages = units / pipeline_ / layers;
    }
  }

  /// What an embedding and a loss stand for is a layer each.
  void cut_evenly(std::int64_t units, bool embedding, bool loss, PipelineCut& cut) const {
    if (cut.virtual_stages > model_.layers || pipeline_ > model_.layers)
      return; // refused with the plan
    const std::int64_t stages = pipeline_ * cut.virtual_stages;
    if (units % stages != 0)
      arguments_.fail(pipeline_ > 1 ? "pipeline-model-parallel-size" : cut.argument,
                      fmt::format("{} layers cannot be cut evenly over {} stages", units, stages),
                      "Megatron needs --pipeline-model-parallel-layout, or "
                      "--decoder-first-pipeline-num-layers and -last-, for that");
    if (!embedding && !loss)
      return;
    cut.layers.assign(static_cast<std::size_t>(stages), units / stages);
    cut.layers.front() -= embedding ? 1 : 0;
    cut.layers.back() -= loss ? 1 : 0;
  }

  void cut_ends(PipelineCut& cut) const {
    const char* first_name = "decoder-first-pipeline-num-layers";
    const char* last_name = "decoder-last-pipeline-num-layers";
    std::int64_t layers = model_.layers;
    std::int64_t middle = pipeline_;
    std::vector<std::optional<std::int64_t>> ends;
    for (const char* name : {first_name, last_name}) {
      ends.push_back(has(name) ? std::optional(arguments_.integer(name)) : std::nullopt);
      layers -= ends.back().value_or(0);
      middle -= ends.back() ? 1 : 0;
    }
    const char* name = has(last_name) ? last_name : first_name;
    if (layers < 0 || middle < 0 || (middle == 0 ? layers != 0 : layers % middle != 0))
      arguments_.fail(
          name, fmt::format("{} layers are left for {} stages between the ends", layers, middle));
    if (pipeline_ > model_.layers || cut.virtual_stages > model_.layers)
      return; // refused with the plan
    std::vector<std::int64_t> stages(static_cast<std::size_t>(pipeline_),
                                     middle > 0 ? layers / middle : 0);
    stages.front() = ends[0].value_or(stages.front());
    stages.back() = ends[1].value_or(stages.back());
    for (std::int64_t chunk = 0; chunk < cut.virtual_stages; ++chunk)
      for (const std::int64_t stage : stages) {
        if (stage % cut.virtual_stages != 0)
          arguments_.fail(name, fmt::format("a stage of {} layers cannot be cut into {} virtual "
                                            "stages",
                                            stage, cut.virtual_stages));
        cut.layers.push_back(stage / cut.virtual_stages);
      }
  }

  std::string source_of_cut() const {
    for (const char* name :
         {"pipeline-model-parallel-layout", "decoder-first-pipeline-num-layers",
          "decoder-last-pipeline-num-layers", "account-for-embedding-in-pipeline-split",
          "account-for-loss-in-pipeline-split"})
      if (has(name))
        return arguments_.source_of(name);
    return "";
  }

  // --- memory ---

  void add_sharding() {
    const bool fsdp = has("use-megatron-fsdp") || has("use-custom-fsdp");
    if (has("use-torch-fsdp2"))
      return add("zero_stage", "3", "use-torch-fsdp2");
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

  /// Full recomputation of a part of the layers, or of several at once, has no key.
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
  std::int64_t pipeline_;
  ImportedTable table_{"parallel", {}};
};

} // namespace

ImportedTable read_megatron_plan(const MegatronArguments& arguments, const ImportedModel& model) {
  return PlanReader(arguments, model).read();
}

} // namespace moesim
