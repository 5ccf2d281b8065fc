#include "sim/schedule/memory_estimate.hpp"

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/pipeline_order.hpp"
#include "sim/schedule/stage_parameters.hpp"

namespace moesim {

namespace {

constexpr std::int64_t bf16_bytes = 2;
constexpr std::int64_t fp32_bytes = 4;
constexpr Bytes framework_bytes{4LL * 1024 * 1024 * 1024};

/// Activations that the backward pass of an attention block needs, of one micro-batch.
std::int64_t attention_values(const Workload& workload, const Sizes& s) {
  const AttentionSpec& a = workload.model.attention;
  const std::int64_t heads = std::max<std::int64_t>(1, a.heads / s.tensor);
  const std::int64_t kv_heads = std::max<std::int64_t>(1, a.kv_heads / s.tensor);
  // Block input and norm output; queries, keys and values; attention output.
  const std::int64_t latent = a.q_lora_rank + a.kv_lora_rank + a.rope_dim;
  return 2 * s.tokens_per_rank * s.hidden +
         s.tokens *
             (heads * (a.head_dim + a.value_dim) + kv_heads * (a.head_dim + a.value_dim) + latent);
}

/// Inputs of the products of a feed-forward of `width` on `tokens` tokens: the up (and gate)
/// outputs, and the activation's output.
std::int64_t feed_forward_values(const Workload& workload, std::int64_t tokens,
                                 std::int64_t width) {
  return tokens * width * workload.model.feed_forward_matrices;
}

std::int64_t layer_values(const Workload& workload, const LayerSpec& layer, const Sizes& s) {
  if (workload.plan.recompute == Recompute::full)
    return s.tokens_per_rank * s.hidden;
  std::int64_t values = layer.attention_blocks * attention_values(workload, s);
  values += 2 * s.tokens_per_rank * s.hidden; // the feed-forward block's input and norm output
  if (!layer.moe)
    return values + feed_forward_values(workload, s.tokens, layer.dense_hidden / s.tensor);
  const ExpertSpec& e = workload.model.experts;
  const std::int64_t routed = routed_tokens_per_rank(workload);
  // Routed tokens are kept as the experts' input and as their output, which the weights multiply.
  values += 2 * routed * s.hidden + feed_forward_values(workload, routed, e.expert_hidden);
  values += feed_forward_values(workload, s.tokens, e.shared_hidden / s.tensor);
  return values + 2 * s.tokens_per_rank * e.experts; // scores, in fp32
}

/// Send and receive buffers of dispatch and of combine. An all-gather receives every token of its
/// group, and a reduce-scatter sends as many results.
Bytes dispatch_buffers(const Workload& workload, const Sizes& s) {
  const std::int64_t routed = routed_tokens_per_rank(workload);
  const bool gathers = workload.communication.dispatcher == Dispatcher::all_gather;
  const std::int64_t far = gathers ? s.tokens_per_rank * workload.plan.expert : routed;
  const std::int64_t own = gathers ? s.tokens_per_rank : routed;
  return Bytes{2 * (own + far) * s.hidden * bf16_bytes};
}

} // namespace

Bytes MemoryEstimate::total() const {
  return weights + gradients + optimizer_states + activations + dispatch_buffers + framework;
}

MemoryEstimate estimate_memory(const Workload& workload, std::int64_t stage) {
  const ParallelPlan& plan = workload.plan;
  const Sizes s = sizes_of(workload);
  const StageParameters p = stage_parameters(workload, stage);
  MemoryEstimate memory;
  memory.stage = stage;
  memory.framework = framework_bytes;
  memory.weights = Bytes{(p.dense_per_rank + p.expert_per_rank) * bf16_bytes};
  memory.gradients = Bytes{(p.dense_per_rank + p.expert_per_rank) * fp32_bytes};
  const bool sharded = plan.zero_stage >= 1;
  memory.optimizer_states = Bytes{3 * fp32_bytes *
                                  (p.dense_per_rank / (sharded ? plan.data() : 1) +
                                   p.expert_per_rank / (sharded ? plan.expert_data() : 1)) /
                                  (sharded ? plan.copies() : 1)};
  std::vector<std::int64_t> kept_values; // by a micro-batch in each chunk
  std::int64_t largest = 0;
  for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
    const std::int64_t virtual_stage = plan.virtual_stage(stage, chunk);
    const std::int64_t first = first_layer(plan, virtual_stage);
    const std::int64_t count = plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)];
    std::int64_t values = 0;
    for (std::int64_t layer = first; layer < first + count; ++layer) {
      const LayerSpec& spec = workload.model.layers[static_cast<std::size_t>(layer)];
      values += layer_values(workload, spec, s);
      Workload kept = workload;
      kept.plan.recompute = Recompute::none;
      largest = std::max(largest, layer_values(kept, spec, s));
    }
    kept_values.push_back(values);
  }
  const StageOrder order = pipeline_order(plan, stage, plan.micro_batches(workload.training));
  memory.activations = Bytes{most_kept(order, kept_values) * bf16_bytes};
  // Full recompute keeps one layer's activations while it is being repeated.
  if (plan.recompute == Recompute::full)
    memory.activations += Bytes{largest * bf16_bytes};
  if (holds(plan, stage,
            plan.virtual_stage_count() - 1)) // logits and their gradient: bf16 and fp32
    memory.activations +=
        Bytes{s.tokens * workload.model.vocabulary / s.tensor * (bf16_bytes + fp32_bytes)};
  if (plan.expert > 1)
    memory.dispatch_buffers = dispatch_buffers(workload, s);
  return memory;
}

MemoryEstimate fullest_stage(const Workload& workload) {
  MemoryEstimate fullest = estimate_memory(workload, 0);
  for (std::int64_t stage = 1; stage < workload.plan.pipeline; ++stage) {
    const MemoryEstimate estimate = estimate_memory(workload, stage);
    if (estimate.total() > fullest.total())
      fullest = estimate;
  }
  return fullest;
}

} // namespace moesim
