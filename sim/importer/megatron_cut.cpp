#include "sim/importer/megatron_cut.hpp"

#include "sim/importer/megatron_layers.hpp"

#include <fmt/format.h>

#include <optional>
#include <stdexcept>

namespace moesim {

namespace {

/// Reads the arguments that cut the layers of one run.
class CutReader {
public:
  CutReader(const MegatronArguments& arguments, const ImportedModel& model)
      : arguments_(arguments), model_(model),
        pipeline_(arguments.integer_or("pipeline-model-parallel-size", 1)) {}

  PipelineCut read() {
    if (has("pipeline-model-parallel-layout"))
      return read_layout();
    if (!model_.stages.empty())
      return read_pattern();
    PipelineCut cut;
    cut.source = source_of_cut();
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

private:
  bool has(const char* name) const { return arguments_.has(name); }

  /// The stages that `|` ends in the pattern of a hybrid model.
  PipelineCut read_pattern() const {
    const char* name =
        has("hybrid-layer-pattern") ? "hybrid-layer-pattern" : "hybrid-override-pattern";
    return {virtual_stages_of(name, model_.stages.size()), name, model_.stages,
            arguments_.source_of(name), ""};
  }

  std::int64_t virtual_stages_of(const std::string& name, std::size_t stages) const {
    const auto count = static_cast<std::int64_t>(stages);
    if (count % pipeline_ != 0)
      arguments_.fail(name, fmt::format("its {} stages cannot be laid on {} pipeline stages", count,
                                        pipeline_));
    return count / pipeline_;
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
    PipelineCut cut{
        virtual_stages_of(name, stages.size()), name, {}, arguments_.source_of(name), ""};
    std::int64_t layers = 0;
    for (const LayoutStage& stage : stages) {
      cut.layers.push_back(stage.layers);
      layers += stage.layers;
    }
    if (layers != model_.layers)
      arguments_.fail(name, fmt::format("it has {} transformer layers, and --num-layers is {}",
                                        layers, model_.layers));
    if (stages.back().mtp_layers == 0 && arguments_.has("mtp-num-layers"))
      cut.note =
          fmt::format("not modelled: multi-token prediction in a stage of its own ({}): it runs in "
                      "the last stage",
                      cut.source);
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

  /// An embedding and a loss count as one layer each.
  void cut_evenly(std::int64_t units, bool embedding, bool loss, PipelineCut& cut) const {
    if (cut.virtual_stages > model_.layers || pipeline_ > model_.layers)
      return; // find_plan_fault reports it
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
      return; // find_plan_fault reports it
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
         {"decoder-first-pipeline-num-layers", "decoder-last-pipeline-num-layers",
          "account-for-embedding-in-pipeline-split", "account-for-loss-in-pipeline-split"})
      if (has(name))
        return arguments_.source_of(name);
    return "";
  }

  const MegatronArguments& arguments_;
  const ImportedModel& model_;
  std::int64_t pipeline_;
};

} // namespace

PipelineCut read_pipeline_cut(const MegatronArguments& arguments, const ImportedModel& model) {
  return CutReader(arguments, model).read();
}

} // namespace moesim
