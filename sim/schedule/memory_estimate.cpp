#include "sim/schedule/memory_estimate.hpp"

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/kept_activations.hpp"
#include "sim/schedule/stage_parameters.hpp"
#include "sim/workload/pipeline_order.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace moesim {

namespace {

/// An assumption: gap 15 of calibration/DEVIATIONS.md.
constexpr Bytes framework_bytes{4LL * 1024 * 1024 * 1024};
/// Bytes that PyTorch's allocator reserves beyond the allocated ones, as a share of the latter: 2.8
/// to 6.9 %, 3.8 % at the median, over 11 training plans on B200 that leave memory free
/// (MooreThreads/SimuMax: docs/b200/b200_release_v1.2_summary.json@e691807, max_reserved_mb over
/// max_allocated_mb).
constexpr double fragmentation_share = 0.038;

/// Parameters of a rank in the largest layer of a stage.
std::int64_t largest_layer(const Workload& workload, std::int64_t stage) {
  const ParallelPlan& plan = workload.plan;
  std::int64_t largest = 0;
  for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
    const std::int64_t virtual_stage = plan.virtual_stage(stage, chunk);
    const std::int64_t first = first_layer(plan, virtual_stage);
    const std::int64_t count = plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)];
    for (std::int64_t layer = first; layer < first + count; ++layer) {
      const LayerParameters p =
          layer_parameters(workload.model, workload.model.layers[static_cast<std::size_t>(layer)]);
      largest = std::max(largest, p.shared_by_tokens / plan.tensor +
                                      p.routed_experts / (plan.expert * plan.expert_tensor));
    }
  }
  return largest;
}

/// Calls `visit` with the number of each layer of a virtual stage. On the last one, layers of
/// multi-token prediction repeat the number of the model's last layer.
template <typename Visit>
void for_each_layer(const Workload& workload, std::int64_t virtual_stage, const Visit& visit) {
  const ParallelPlan& plan = workload.plan;
  const std::int64_t first = first_layer(plan, virtual_stage);
  const std::int64_t count = plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)];
  for (std::int64_t number = first; number < first + count; ++number)
    visit(number);
  if (virtual_stage != plan.virtual_stage_count() - 1)
    return;
  for (std::int64_t mtp = 0; mtp < workload.model.mtp_layers; ++mtp)
    visit(static_cast<std::int64_t>(workload.model.layers.size()) - 1);
}

/// Micro-batches that are enough for a stage to keep its most: the warm-up and the steady state
/// behind it are the same for more of them.
std::int64_t enough_micro_batches(const ParallelPlan& plan, std::int64_t micro_batches) {
  const std::int64_t enough = 4 * plan.pipeline;
  return micro_batches <= enough ? micro_batches : enough + micro_batches % plan.pipeline;
}

} // namespace

MemoryModel::MemoryModel(Workload workload, const ExpertLoads& loads, PipelineOrderTable& orders)
    : workload_(std::move(workload)), loads_(loads), orders_(orders) {}

void MemoryModel::set_plan(const ParallelPlan& plan, Dispatcher dispatcher) {
  const auto pipeline_of = [](const ParallelPlan& of) {
    return std::tie(of.schedule.name, of.pipeline, of.virtual_stages, of.overlap_batches,
                    of.layers_per_stage);
  };
  if (pipeline_of(plan) != pipeline_of(workload_.plan))
    shares_.clear();
  workload_.plan = plan;
  if (workload_.communication.dispatcher != dispatcher)
    buffers_.clear();
  workload_.communication.dispatcher = dispatcher;
}

/// Send and receive buffers of dispatch and of combine. An all-gather receives every token of its
/// group, and a reduce-scatter sends as many results. The layer whose busiest rank has most counts.
Bytes MemoryModel::dispatch_buffers(std::int64_t stage) {
  const bool gathers = workload_.communication.dispatcher == Dispatcher::all_gather;
  Bytes largest;
  const auto add = [&](std::int64_t layer) {
    if (!workload_.model.layers[static_cast<std::size_t>(layer)].moe)
      return;
    const std::shared_ptr<const ExpertLoad> load = loads_.busiest(layer);
    const auto [known, added] = buffers_.try_emplace(load.get());
    if (added) {
      const Sizes s = sizes_of_layer(workload_, load);
      const std::int64_t far =
          gathers ? s.tokens_per_rank * workload_.plan.expert
                  : expert_tokens_per_rank(workload_, s) / workload_.plan.expert_tensor;
      const std::int64_t own = gathers ? s.tokens_per_rank : routed_tokens_per_rank(workload_, s);
      known->second = Bytes{2 * (own + far) * s.hidden * bf16_bytes};
    }
    largest = std::max(largest, known->second);
  };
  for (std::int64_t chunk = 0; chunk < workload_.plan.chunks(); ++chunk)
    for_each_layer(workload_, workload_.plan.virtual_stage(stage, chunk), add);
  return largest;
}

const MemoryModel::LayerActivations& MemoryModel::layer_activations(std::int64_t number) {
  const LayerSpec& layer = workload_.model.layers[static_cast<std::size_t>(number)];
  const std::shared_ptr<const ExpertLoad> load = layer.moe ? loads_.busiest(number) : nullptr;
  const auto [known, added] = layers_.try_emplace({layer, load.get()});
  if (added) {
    known->second.kept = kept_activations(workload_, number, load);
    if (workload_.plan.recompute == Recompute::full) {
      workload_.plan.recompute = Recompute::none;
      known->second.whole = kept_activations(workload_, number, load).on_gpu;
      workload_.plan.recompute = Recompute::full;
    }
  }
  return known->second;
}

MemoryModel::StageActivations MemoryModel::stage_activations(std::int64_t stage) {
  const ParallelPlan& plan = workload_.plan;
  StageActivations sum;
  std::int64_t layer = 0;
  for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
    Bytes bytes;
    for_each_layer(workload_, plan.virtual_stage(stage, chunk), [&](std::int64_t number) {
      const LayerActivations& of_layer = layer_activations(number);
      KeptActivations kept = of_layer.kept;
      if (layer++ < plan.offload_layers)
        kept = {Bytes{0}, kept.on_gpu + kept.on_host};
      bytes += kept.on_gpu;
      sum.largest_on_host = std::max(sum.largest_on_host, kept.on_host);
      sum.largest_layer = std::max(sum.largest_layer, of_layer.whole);
    });
    sum.by_chunk.push_back(bytes.value);
  }
  return sum;
}

/// Activations that a stage holds at most: those of its passes under way, and of one layer. Full
/// recompute keeps one layer's activations while it repeats the layer; an offloaded layer is back
/// in GPU memory during its backward pass.
Bytes MemoryModel::held_activations(std::int64_t stage) {
  const ParallelPlan& plan = workload_.plan;
  const StageActivations kept = stage_activations(stage);
  const std::int64_t micro_batches = plan.micro_batches(workload_.training);
  const PipelineOrders& orders = orders_.of(plan, enough_micro_batches(plan, micro_batches));
  return Bytes{most_kept(orders.stages[static_cast<std::size_t>(stage)], kept.by_chunk)} +
         kept.largest_layer + kept.largest_on_host;
}

const MemoryModel::StageShare& MemoryModel::share(std::int64_t stage) {
  const auto [known, added] = shares_.try_emplace(stage);
  if (added)
    known->second = {stage_parameters(workload_, stage), held_activations(stage),
                     gradient_placeholders(stage)};
  return known->second;
}

/// Placeholders of the gradients of weights: the GEMMs add them to the gradients of the step
/// directly. Autograd gets one bf16 buffer for each shape of weight instead, which layers share
/// (TransformerEngine: pytorch/module/base.py, get_dummy_wgrad; Megatron-LM's
/// gradient-accumulation-fusion).
Bytes MemoryModel::gradient_placeholders(std::int64_t stage) {
  std::set<LayerSpec> distinct;
  for (std::int64_t chunk = 0; chunk < workload_.plan.chunks(); ++chunk)
    for_each_layer(workload_, workload_.plan.virtual_stage(stage, chunk), [&](std::int64_t number) {
      distinct.insert(workload_.model.layers[static_cast<std::size_t>(number)]);
    });
  const bool head = holds(workload_.plan, stage, workload_.plan.virtual_stage_count() - 1);
  const auto [known, added] = placeholders_.try_emplace({distinct, head});
  if (!added)
    return known->second;
  Sizes s = sizes_of(workload_);
  std::set<std::pair<std::int64_t, std::int64_t>> shapes;
  const auto add = [&](const std::vector<Kernel>& kernels) {
    for (const Kernel& kernel : kernels)
      if (kernel.kind == KernelKind::gemm || kernel.kind == KernelKind::grouped_gemm)
        shapes.emplace(kernel.n, kernel.k);
  };
  for (const LayerSpec& layer : distinct) {
    s.layer = layer;
    if (layer.attention_blocks > 0)
      add(attention_kernels(workload_, s));
    if (!layer.has_feed_forward())
      continue;
    add(layer.moe ? expert_kernels(workload_, s) : dense_kernels(workload_, layer, s));
    if (layer.moe)
      add(feed_forward_kernels(workload_, s, KernelPart::shared_expert,
                               workload_.model.experts.shared_hidden / s.tensor));
  }
  if (head)
    add(head_kernels(workload_, s));
  std::int64_t values = 0;
  for (const auto& [n, k] : shapes)
    values += n * k;
  return known->second = Bytes{values * bf16_bytes};
}

void MemoryModel::add_parameters(MemoryEstimate& memory, std::int64_t stage) {
  const ParallelPlan& plan = workload_.plan;
  const TrainingSpec& training = workload_.training;
  const StageParameters& p = share(stage).parameters;
  const std::int64_t all = p.dense_per_rank + p.expert_per_rank;
  const std::int64_t sharded =
      (p.dense_per_rank / plan.replicas() + p.expert_per_rank / plan.expert_data()) /
      plan.holders();
  // Further replicas of experts have weights and gradients, but no optimizer states: the first
  // replica updates the weights and sends them.
  const std::int64_t shards = training.fp32_shards ? 0 : sharded; // else among the optimizer's
  memory.weights =
      Bytes{((plan.zero_stage >= 3 ? shards : all) + p.replicas_per_rank) * bf16_bytes};
  memory.gradients = Bytes{((plan.zero_stage >= 2 ? sharded : all) + p.replicas_per_rank) *
                           training.gradient_bytes()};
  memory.optimizer_states =
      Bytes{(plan.zero_stage >= 1 ? sharded : all) * training.optimizer_bytes()};
  if (plan.zero_stage >= 2) // two layers of a stage are whole at a time: one in use, one under way
    memory.gathered = Bytes{2 * largest_layer(workload_, stage) *
                            (training.gradient_bytes() + (plan.zero_stage >= 3 ? bf16_bytes : 0))};
  else
    memory.gradient_placeholders = share(stage).gradient_placeholders;
}

Bytes MemoryEstimate::allocated() const {
  return weights + gradients + optimizer_states + gathered + gradient_placeholders + activations +
         dispatch_buffers;
}

Bytes MemoryEstimate::total() const {
  return allocated() + fragmentation + framework;
}

MemoryEstimate MemoryModel::of_stage(std::int64_t stage) {
  const ParallelPlan& plan = workload_.plan;
  const Sizes s = sizes_of(workload_);
  MemoryEstimate memory;
  memory.stage = stage;
  memory.framework = framework_bytes;
  add_parameters(memory, stage);
  memory.activations = share(stage).activations;
  if (holds(plan, stage, plan.virtual_stage_count() - 1)) // logits and their gradient
    memory.activations += Bytes{(1 + workload_.model.mtp_layers) * s.tokens *
                                workload_.model.vocabulary / s.tensor * 2 * bf16_bytes};
  if (plan.expert > 1)
    memory.dispatch_buffers = dispatch_buffers(stage);
  if (!workload_.training.expandable_segments)
    memory.fragmentation = Bytes{static_cast<std::int64_t>(
        fragmentation_share * static_cast<double>(memory.allocated().value))};
  return memory;
}

MemoryEstimate MemoryModel::fullest() {
  MemoryEstimate fullest = of_stage(0);
  for (std::int64_t stage = 1; stage < workload_.plan.pipeline; ++stage)
    if (const MemoryEstimate estimate = of_stage(stage); estimate.total() > fullest.total())
      fullest = estimate;
  return fullest;
}

MemoryEstimate estimate_memory(const Workload& workload, std::int64_t stage) {
  const ExpertLoads loads(workload);
  PipelineOrderTable orders;
  return MemoryModel(workload, loads, orders).of_stage(stage);
}

MemoryEstimate fullest_stage(const Workload& workload, const ExpertLoads& loads) {
  PipelineOrderTable orders;
  return MemoryModel(workload, loads, orders).fullest();
}

MemoryEstimate fullest_stage(const Workload& workload) {
  return fullest_stage(workload, ExpertLoads(workload));
}

} // namespace moesim
