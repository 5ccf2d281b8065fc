#include "sim/schedule/memory_estimate.hpp"

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/kept_activations.hpp"
#include "sim/schedule/stage_parameters.hpp"
#include "sim/workload/pipeline_order.hpp"

#include <algorithm>
#include <numeric>
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

/// The numbers of the layers of a virtual stage. On the last one, layers of multi-token prediction
/// repeat the number of the model's last layer.
std::vector<std::int64_t> layers_of(const Workload& workload, std::int64_t virtual_stage) {
  std::vector<std::int64_t> held(static_cast<std::size_t>(
      workload.plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)]));
  std::iota(held.begin(), held.end(), first_layer(workload.plan, virtual_stage));
  if (virtual_stage == workload.plan.virtual_stage_count() - 1)
    held.insert(held.end(), static_cast<std::size_t>(workload.model.mtp_layers),
                static_cast<std::int64_t>(workload.model.layers.size()) - 1);
  return held;
}

/// Send and receive buffers of dispatch and of combine, of the layer with the largest ones on its
/// busiest rank. An all-gather receives every token of its group; a reduce-scatter sends the same
/// number of results.
Bytes dispatch_buffers(const Workload& workload, std::int64_t stage, const ExpertLoads& loads) {
  const bool gathers = workload.communication.dispatcher == Dispatcher::all_gather;
  Bytes largest;
  for (std::int64_t chunk = 0; chunk < workload.plan.chunks(); ++chunk)
    for (const std::int64_t layer :
         layers_of(workload, workload.plan.virtual_stage(stage, chunk))) {
      if (!workload.model.layers[static_cast<std::size_t>(layer)].moe)
        continue;
      const Sizes s = sizes_of_layer(workload, loads.busiest(layer));
      const std::int64_t far =
          gathers ? s.tokens_per_rank * workload.plan.expert
                  : expert_tokens_per_rank(workload, s) / workload.plan.expert_tensor;
      const std::int64_t own = gathers ? s.tokens_per_rank : routed_tokens_per_rank(workload, s);
      largest = std::max(largest, Bytes{2 * (own + far) * s.hidden * bf16_bytes});
    }
  return largest;
}

/// Bytes that the passes of a stage keep.
struct StageActivations {
  std::vector<std::int64_t> by_chunk; ///< bytes of one micro-batch
  Bytes largest_layer;                ///< one layer with all activations that recompute makes again
  Bytes largest_on_host;              ///< bytes of one layer in host memory
};

StageActivations stage_activations(const Workload& workload, std::int64_t stage,
                                   const ExpertLoads& loads) {
  const ParallelPlan& plan = workload.plan;
  Workload whole = workload;
  whole.plan.recompute = Recompute::none;
  StageActivations sum;
  std::int64_t layer = 0;
  for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
    Bytes bytes;
    for (const std::int64_t number : layers_of(workload, plan.virtual_stage(stage, chunk))) {
      const std::shared_ptr<const ExpertLoad> load =
          workload.model.layers[static_cast<std::size_t>(number)].moe ? loads.busiest(number)
                                                                      : nullptr;
      KeptActivations kept = kept_activations(workload, number, load);
      if (layer++ < plan.offload_layers)
        kept = {Bytes{0}, kept.on_gpu + kept.on_host};
      bytes += kept.on_gpu;
      sum.largest_on_host = std::max(sum.largest_on_host, kept.on_host);
      if (plan.recompute == Recompute::full)
        sum.largest_layer =
            std::max(sum.largest_layer, kept_activations(whole, number, load).on_gpu);
    }
    sum.by_chunk.push_back(bytes.value);
  }
  return sum;
}

/// Placeholders of the gradients of weights: the GEMMs add them to the gradients of the step
/// directly. Autograd gets one bf16 buffer for each shape of weight instead, which layers share
/// (TransformerEngine: pytorch/module/base.py, get_dummy_wgrad; Megatron-LM's
/// gradient-accumulation-fusion).
Bytes gradient_placeholders(const Workload& workload, std::int64_t stage) {
  const Sizes s = sizes_of(workload);
  std::set<std::pair<std::int64_t, std::int64_t>> shapes;
  const auto add = [&](const std::vector<Kernel>& kernels) {
    for (const Kernel& kernel : kernels)
      if (kernel.kind == KernelKind::gemm || kernel.kind == KernelKind::grouped_gemm)
        shapes.emplace(kernel.n, kernel.k);
  };
  for (const bool moe : {false, true})
    for (std::int64_t chunk = 0; chunk < workload.plan.chunks(); ++chunk)
      for (const std::int64_t number :
           layers_of(workload, workload.plan.virtual_stage(stage, chunk))) {
        const LayerSpec& layer = workload.model.layers[static_cast<std::size_t>(number)];
        if (layer.moe != moe)
          continue;
        add(attention_kernels(workload, s));
        add(moe ? expert_kernels(workload, s) : dense_kernels(workload, layer, s));
        if (moe)
          add(feed_forward_kernels(workload, s, KernelPart::shared_expert,
                                   workload.model.experts.shared_hidden / s.tensor));
        break; // layers of a kind have the same shapes
      }
  if (holds(workload.plan, stage, workload.plan.virtual_stage_count() - 1))
    add(head_kernels(workload, s));
  std::int64_t values = 0;
  for (const auto& [n, k] : shapes)
    values += n * k;
  return Bytes{values * bf16_bytes};
}

void add_parameters(MemoryEstimate& memory, const Workload& workload, std::int64_t stage) {
  const ParallelPlan& plan = workload.plan;
  const TrainingSpec& training = workload.training;
  const StageParameters p = stage_parameters(workload, stage);
  const std::int64_t all = p.dense_per_rank + p.expert_per_rank;
  const std::int64_t sharded =
      (p.dense_per_rank / plan.replicas() + p.expert_per_rank / plan.expert_data()) /
      plan.holders();
  // Further replicas of experts have weights and gradients, but no optimizer states: the first
  // replica updates the weights and sends them.
  memory.weights =
      Bytes{((plan.zero_stage >= 3 ? sharded : all) + p.replicas_per_rank) * bf16_bytes};
  memory.gradients = Bytes{((plan.zero_stage >= 2 ? sharded : all) + p.replicas_per_rank) *
                           training.gradient_bytes()};
  memory.optimizer_states =
      Bytes{(plan.zero_stage >= 1 ? sharded : all) * training.optimizer_bytes()};
  if (plan.zero_stage >= 2) // two layers are complete at a time: one in use, one being gathered
    memory.gathered = Bytes{2 * largest_layer(workload, stage) *
                            (training.gradient_bytes() + (plan.zero_stage >= 3 ? bf16_bytes : 0))};
  else
    memory.gradient_placeholders = gradient_placeholders(workload, stage);
}

} // namespace

Bytes MemoryEstimate::allocated() const {
  return weights + gradients + optimizer_states + gathered + gradient_placeholders + activations +
         dispatch_buffers;
}

Bytes MemoryEstimate::total() const {
  return allocated() + fragmentation + framework;
}

MemoryEstimate estimate_memory(const Workload& workload, std::int64_t stage,
                               const ExpertLoads& loads) {
  const ParallelPlan& plan = workload.plan;
  const Sizes s = sizes_of(workload);
  MemoryEstimate memory;
  memory.stage = stage;
  memory.framework = framework_bytes;
  add_parameters(memory, workload, stage);
  const StageActivations kept = stage_activations(workload, stage, loads);
  const StageOrder order = pipeline_order(plan, stage, plan.micro_batches(workload.training));
  memory.activations = Bytes{most_kept(order, kept.by_chunk)};
  // Full recompute keeps one layer's activations while it repeats the layer. An offloaded layer is
  // back in GPU memory during its backward pass.
  memory.activations += kept.largest_layer + kept.largest_on_host;
  if (holds(plan, stage, plan.virtual_stage_count() - 1)) // logits and their gradient
    memory.activations += Bytes{(1 + workload.model.mtp_layers) * s.tokens *
                                workload.model.vocabulary / s.tensor * 2 * bf16_bytes};
  if (plan.expert > 1)
    memory.dispatch_buffers = dispatch_buffers(workload, stage, loads);
  if (!workload.training.expandable_segments)
    memory.fragmentation = Bytes{static_cast<std::int64_t>(
        fragmentation_share * static_cast<double>(memory.allocated().value))};
  return memory;
}

MemoryEstimate estimate_memory(const Workload& workload, std::int64_t stage) {
  return estimate_memory(workload, stage, ExpertLoads(workload));
}

MemoryEstimate fullest_stage(const Workload& workload, const ExpertLoads& loads) {
  MemoryEstimate fullest = estimate_memory(workload, 0, loads);
  for (std::int64_t stage = 1; stage < workload.plan.pipeline; ++stage) {
    const MemoryEstimate estimate = estimate_memory(workload, stage, loads);
    if (estimate.total() > fullest.total())
      fullest = estimate;
  }
  return fullest;
}

MemoryEstimate fullest_stage(const Workload& workload) {
  return fullest_stage(workload, ExpertLoads(workload));
}

} // namespace moesim
