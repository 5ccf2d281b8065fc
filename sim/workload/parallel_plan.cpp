#include "sim/workload/parallel_plan.hpp"

#include "sim/base/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

namespace moesim {

namespace {

/// The divisor of `total` nearest to `wanted`, the smaller one on a tie.
std::int64_t nearest_divisor(std::int64_t total, std::int64_t wanted) {
  std::int64_t best = 1;
  for (std::int64_t candidate = 1; candidate <= total; ++candidate)
    if (total % candidate == 0 && std::abs(candidate - wanted) < std::abs(best - wanted))
      best = candidate;
  return best;
}

/// Nearest legal values for a plan whose GPUs cannot be split: the number of GPUs, or one of the
/// degrees.
std::string nearest_splits(const ParallelPlan& plan, const ModelSpec& model) {
  const std::int64_t product = plan.tensor * plan.context * plan.pipeline;
  std::vector<std::string> degrees;
  const auto add = [&](const char* degree, std::int64_t now, std::int64_t wanted,
                       std::int64_t divides) {
    const std::int64_t others = product / now;
    if (plan.gpus % others == 0)
      degrees.push_back(fmt::format(
          "{} {}", degree, nearest_divisor(std::gcd(plan.gpus / others, divides), wanted)));
  };
  add("tensor", plan.tensor, plan.tensor, model.attention.heads);
  if (plan.context > 1)
    add("context", plan.context, plan.context, plan.gpus);
  const auto layers = static_cast<std::int64_t>(model.layers.size());
  add("pipeline", plan.pipeline, std::min(plan.pipeline, layers), plan.gpus);
  const std::string number =
      fmt::format("the nearest number that can is {}", nearest_multiple(plan.gpus, product));
  if (degrees.empty())
    return number;
  return fmt::format("{}; so can {} with {}", number, plan.gpus, fmt::join(degrees, " or "));
}

std::optional<PlanFault> find_split_fault(const ParallelPlan& plan, const ModelSpec& model) {
  const std::int64_t product = plan.tensor * plan.context * plan.pipeline;
  if (plan.gpus % product != 0)
    return PlanFault{"cluster", "gpus",
                     fmt::format("{} GPUs cannot be split into tensor {} x {}pipeline {}",
                                 plan.gpus, plan.tensor,
                                 plan.context > 1 ? fmt::format("context {} x ", plan.context) : "",
                                 plan.pipeline),
                     nearest_splits(plan, model)};
  if (model.attention.heads % plan.tensor != 0)
    return PlanFault{"parallel", "tensor",
                     fmt::format("{} attention heads cannot be split over tensor {}",
                                 model.attention.heads, plan.tensor),
                     fmt::format("the nearest degree that can is {}",
                                 nearest_divisor(model.attention.heads, plan.tensor))};
  const auto layers = static_cast<std::int64_t>(model.layers.size());
  if (plan.pipeline > layers)
    return PlanFault{
        "parallel", "pipeline",
        fmt::format("{} pipeline stages are more than the {} layers", plan.pipeline, layers), ""};
  const auto& split = plan.layers_per_stage;
  const bool one_each = static_cast<std::int64_t>(split.size()) == plan.virtual_stage_count();
  if (plan.virtual_stage_count() > layers && !one_each)
    return PlanFault{"parallel", "virtual_stages",
                     fmt::format("{} virtual stages on each of {} stages are more than the {} "
                                 "layers",
                                 plan.virtual_stages, plan.pipeline, layers),
                     "layers_per_stage may leave the first and the last without a layer"};
  if (!one_each || std::accumulate(split.begin(), split.end(), std::int64_t{0}) != layers)
    return PlanFault{
        "parallel", "layers_per_stage",
        fmt::format("{} entries with {} layers in all do not split {} layers over {} stages",
                    split.size(), std::accumulate(split.begin(), split.end(), std::int64_t{0}),
                    layers, plan.virtual_stage_count()),
        ""};
  // The first stage has the embedding and the last one the head, so these may have no layers.
  for (std::size_t stage = 1; stage + 1 < split.size(); ++stage)
    if (split[stage] == 0)
      return PlanFault{
          "parallel", "layers_per_stage",
          fmt::format("stage {} of {} has no layer, and no other work", stage + 1, split.size()),
          "only the first and the last may be 0"};
  return std::nullopt;
}

std::optional<PlanFault> find_schedule_fault(const ParallelPlan& plan,
                                             const TrainingSpec& training) {
  if (plan.virtual_stages > 1 && !plan.schedule.virtual_stages) {
    std::vector<std::string> names;
    for (const Schedule* schedule : schedules)
      if (schedule->virtual_stages)
        names.push_back(fmt::format("the {}", schedule->name));
    return PlanFault{"parallel", "virtual_stages",
                     fmt::format("only {} schedule have virtual stages", fmt::join(names, " and ")),
                     "use schedule = \"interleaved\""};
  }
  return plan.schedule.find_fault ? plan.schedule.find_fault(plan, training) : std::nullopt;
}

std::optional<PlanFault> find_overlap_fault(const ParallelPlan& plan) {
  const auto fault = [](const std::string& message, const std::string& hint) {
    return PlanFault{"communication", "overlap", message, hint};
  };
  if (!plan.overlap_batches)
    return std::nullopt;
  if (plan.expert == 1)
    return fault("without expert parallelism there is no communication of experts to hide",
                 "use \"none\", or spread the experts of an MoE model");
  if (plan.schedule.pairs_passes && plan.schedule.pairs_passes(plan))
    return std::nullopt;
  return fault(
      "under a pipeline, micro-batches overlap only where the schedule pairs a forward pass "
      "with a backward pass",
      "use schedule = \"dualpipe\", or \"interleaved\" with 2 or more virtual_stages");
}

std::optional<PlanFault> find_expert_fault(const ParallelPlan& plan, const ModelSpec& model) {
  if (!model.is_moe())
    return plan.expert == 1 && plan.expert_tensor == 1
               ? std::nullopt
               : std::optional(PlanFault{"parallel", plan.expert > 1 ? "expert" : "expert_tensor",
                                         "a dense model has no experts to spread", "use 1"});
  if (model.experts.expert_hidden % plan.expert_tensor != 0)
    return PlanFault{"parallel", "expert_tensor",
                     fmt::format("experts of width {} cannot be split over expert_tensor {}",
                                 model.experts.expert_hidden, plan.expert_tensor),
                     fmt::format("the nearest degree that can is {}",
                                 nearest_divisor(model.experts.expert_hidden, plan.expert_tensor))};
  if (plan.stage_ranks() % plan.expert_tensor != 0)
    return PlanFault{"parallel", "expert_tensor",
                     fmt::format("the {} ranks of a pipeline stage cannot be split into groups of "
                                 "expert_tensor {}",
                                 plan.stage_ranks(), plan.expert_tensor),
                     fmt::format("the nearest degree that can is {}",
                                 nearest_divisor(plan.stage_ranks(), plan.expert_tensor))};
  const std::string nearest = fmt::format(
      "the largest legal degree is {}",
      largest_expert_parallel(model.experts.experts, plan.stage_ranks() / plan.expert_tensor));
  if (model.experts.experts % plan.expert != 0)
    return PlanFault{"parallel", "expert",
                     fmt::format("{} experts cannot be split over expert {}", model.experts.experts,
                                 plan.expert),
                     nearest};
  if (plan.stage_ranks() % (plan.expert * plan.expert_tensor) != 0)
    return PlanFault{
        "parallel", "expert",
        fmt::format("the {} ranks of a pipeline stage cannot be split into groups of expert {}{}",
                    plan.stage_ranks(), plan.expert,
                    plan.expert_tensor > 1 ? fmt::format(" x expert_tensor {}", plan.expert_tensor)
                                           : ""),
        nearest};
  if (plan.tensor > 1 && !plan.sequence_parallel)
    return PlanFault{"parallel", "sequence_parallel",
                     "an MoE layer under tensor parallelism needs sequence parallelism",
                     "set it to true"};
  return std::nullopt;
}

std::optional<PlanFault> find_batch_fault(const ParallelPlan& plan, const TrainingSpec& training) {
  const std::int64_t per_pass = plan.data() * training.micro_batch;
  if (training.global_batch % per_pass != 0)
    return PlanFault{"training", "global_batch",
                     fmt::format("{} sequences cannot be split into micro-batches of {} on data {}",
                                 training.global_batch, training.micro_batch, plan.data()),
                     fmt::format("the nearest number that can is {}",
                                 nearest_multiple(training.global_batch, per_pass))};
  if (training.sequence_length % (plan.tensor * plan.context) != 0)
    return PlanFault{
        "training", "sequence_length",
        fmt::format("{} tokens cannot be split over tensor {}{}", training.sequence_length,
                    plan.tensor,
                    plan.context > 1 ? fmt::format(" x context {}", plan.context) : ""),
        ""};
  return std::nullopt;
}

std::optional<PlanFault> find_offload_fault(const ParallelPlan& plan, const ModelSpec& model) {
  const auto layers = static_cast<std::int64_t>(model.layers.size());
  if (plan.offload_layers > 0 && plan.pipeline > 1)
    return PlanFault{"parallel", "offload_layers",
                     fmt::format("layers are offloaded without a pipeline only, not with pipeline "
                                 "{}",
                                 plan.pipeline),
                     "use offload_modules"};
  if (plan.offload_layers >= layers && plan.offload_layers > 0)
    return PlanFault{"parallel", "offload_layers",
                     fmt::format("{} layers to offload are not fewer than the {} layers",
                                 plan.offload_layers, layers),
                     fmt::format("use {} or less", layers - 1)};
  if (plan.recompute == Recompute::full && !plan.offload_modules.empty())
    return PlanFault{"parallel", "offload_modules",
                     "full recomputation leaves nothing of a module to offload",
                     "use recompute = \"selective\", or \"none\""};
  return std::nullopt;
}

/// Layers with heads of their own, and those that no framework splits.
std::optional<PlanFault> find_mixer_fault(const ParallelPlan& plan, const ModelSpec& model,
                                          const TrainingSpec& training) {
  for (const LayerSpec& layer : model.layers) {
    const AttentionSpec& a = model.attention_of(layer);
    const bool recurrent = is_recurrent(a.kind);
    const bool chunked = layer.chunk > 0 && layer.chunk < training.sequence_length;
    if (plan.context > 1 && (recurrent || chunked || a.index_heads > 0))
      return PlanFault{"parallel", "context",
                       fmt::format("context {} is not modelled with {}", plan.context,
                                   recurrent ? fmt::format("layers of the kind {}",
                                                           name_of(attention_kind_names, a.kind))
                                   : chunked ? "attention inside chunks"
                                             : "an indexer's sparse attention"),
                       "use context = 1"};
    if (plan.tensor > 1 && (a.index_heads > 0 || a.kind == AttentionKind::mamba1))
      return PlanFault{"parallel", "tensor",
                       fmt::format("tensor {} is not modelled with {}", plan.tensor,
                                   a.index_heads > 0 ? "an indexer's sparse attention"
                                                     : "layers of the kind mamba-1"),
                       "use tensor = 1"};
    if (a.heads % plan.tensor != 0)
      return PlanFault{
          "parallel", "tensor",
          fmt::format("{} heads of a layer cannot be split over tensor {}", a.heads, plan.tensor),
          fmt::format("the nearest degree that can is {}", nearest_divisor(a.heads, plan.tensor))};
  }
  return std::nullopt;
}

/// Unfused attention has the kernels of multi-head and grouped-query attention over whole
/// sequences.
std::optional<PlanFault> find_attention_fault(const ParallelPlan& plan, const ModelSpec& model,
                                              const TrainingSpec& training) {
  const auto fault = [](const std::string& key, const std::string& message,
                        const std::string& hint) {
    return PlanFault{"training", key, message, hint};
  };
  if (training.attention == AttentionKernels::fused) {
    if (training.attention_dropout > 0.0)
      return fault("attention_dropout", "dropout inside a fused attention is not modelled",
                   "use attention = \"unfused\", or leave it out");
    return std::nullopt;
  }
  const std::string hint = "use attention = \"fused\"";
  const auto has = [&](const auto& is_so) {
    return std::any_of(model.layers.begin(), model.layers.end(), [&](const LayerSpec& layer) {
      return is_so(layer, model.attention_of(layer));
    });
  };
  if (has([](const LayerSpec&, const AttentionSpec& a) { return is_recurrent(a.kind); }))
    return fault("attention", "unfused attention beside layers without scores is not modelled",
                 hint);
  if (has([](const LayerSpec&, const AttentionSpec& a) { return a.kind == AttentionKind::latent; }))
    return fault("attention", "unfused multi-head latent attention is not modelled", hint);
  if (plan.context > 1)
    return fault("attention",
                 fmt::format("unfused attention is not modelled with context {}", plan.context),
                 hint);
  if (has([](const LayerSpec& layer, const AttentionSpec&) {
        return layer.window > 0 || layer.chunk > 0;
      }))
    return fault("attention", "unfused attention with a sliding window is not modelled", hint);
  return std::nullopt;
}

/// The layout of a group's ranks within a stage.
struct GroupShape {
  std::int64_t size = 1;
  std::int64_t stride = 1;

  /// The first rank of the group of a rank, both counted within the stage.
  std::int64_t first_of(std::int64_t rank) const {
    return rank / (size * stride) * (size * stride) + rank % stride;
  }
};

GroupShape shape_of(const ParallelPlan& plan, GroupKind kind) {
  const std::int64_t ranks = plan.stage_ranks();
  const std::int64_t of_experts = plan.expert_tensor * plan.expert;
  switch (kind) {
  case GroupKind::tensor:
    return {plan.tensor, 1};
  case GroupKind::context:
    return {plan.context, plan.tensor};
  case GroupKind::data:
    return {ranks / plan.tensor, plan.tensor};
  case GroupKind::expert:
    return {plan.expert, plan.expert_tensor};
  case GroupKind::expert_tensor:
    return {plan.expert_tensor, 1};
  case GroupKind::expert_data:
    break;
  }
  return {ranks / of_experts, of_experts};
}

std::vector<RankId> members(const GroupShape& shape, std::int64_t first) {
  std::vector<RankId> ranks;
  ranks.reserve(static_cast<std::size_t>(shape.size));
  for (std::int64_t member = 0; member < shape.size; ++member)
    ranks.push_back(RankId(static_cast<std::uint32_t>(first + member * shape.stride)));
  return ranks;
}

} // namespace

std::int64_t nearest_multiple(std::int64_t wanted, std::int64_t factor) {
  return std::max<std::int64_t>(1, (wanted + factor / 2) / factor) * factor;
}

bool ParallelPlan::recomputes(RecomputeModule module) const {
  return recompute == Recompute::selective && recompute_modules.contains(module);
}

std::int64_t ParallelPlan::micro_batches(const TrainingSpec& training) const {
  return training.global_batch / (data() * training.micro_batch);
}

std::int64_t ParallelPlan::expert_rank(RankId rank) const {
  const std::int64_t local = static_cast<std::int64_t>(index(rank)) % stage_ranks();
  return local / expert_tensor % expert;
}

std::int64_t ParallelPlan::stage_of(RankId rank) const {
  return static_cast<std::int64_t>(index(rank)) / stage_ranks();
}

std::vector<std::int64_t> spread_layers(std::int64_t layers, std::int64_t stages) {
  std::vector<std::int64_t> split(static_cast<std::size_t>(stages), layers / stages);
  const std::int64_t longer = layers % stages;
  if (longer == 0)
    return split;
  for (std::int64_t& stage : split)
    ++stage;
  std::int64_t shorter = stages - longer;
  --split.back();
  if (--shorter > 0) {
    --split.front();
    --shorter;
  }
  for (std::size_t stage = split.size() - 2; shorter > 0; --stage, --shorter)
    --split[stage];
  return split;
}

std::int64_t largest_expert_parallel(std::int64_t experts, std::int64_t stage_ranks) {
  return experts == 0 ? 1 : std::gcd(experts, stage_ranks);
}

std::optional<PlanFault> find_plan_fault(const ParallelPlan& plan, const ModelSpec& model,
                                         const TrainingSpec& training) {
  if (auto fault = find_split_fault(plan, model))
    return fault;
  if (auto fault = find_expert_fault(plan, model))
    return fault;
  if (auto fault = find_batch_fault(plan, training))
    return fault;
  if (auto fault = find_schedule_fault(plan, training))
    return fault;
  if (auto fault = find_offload_fault(plan, model))
    return fault;
  if (auto fault = find_mixer_fault(plan, model, training))
    return fault;
  if (auto fault = find_attention_fault(plan, model, training))
    return fault;
  return find_overlap_fault(plan);
}

std::vector<RankId> group_of(const ParallelPlan& plan, GroupKind kind, RankId rank) {
  const std::int64_t first_of_stage = plan.stage_of(rank) * plan.stage_ranks();
  const std::int64_t local = static_cast<std::int64_t>(index(rank)) - first_of_stage;
  const GroupShape shape = shape_of(plan, kind);
  return members(shape, first_of_stage + shape.first_of(local));
}

std::vector<std::vector<RankId>> groups_of_stage(const ParallelPlan& plan, GroupKind kind,
                                                 std::int64_t stage) {
  const std::int64_t first_of_stage = stage * plan.stage_ranks();
  const GroupShape shape = shape_of(plan, kind);
  std::vector<std::vector<RankId>> groups;
  for (std::int64_t local = 0; local < plan.stage_ranks(); ++local)
    if (shape.first_of(local) == local)
      groups.push_back(members(shape, first_of_stage + local));
  return groups;
}

} // namespace moesim
