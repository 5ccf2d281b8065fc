#include "sim/schedule/memory_estimate.hpp"

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/layer_segments.hpp"
#include "sim/schedule/pipeline_order.hpp"
#include "sim/schedule/stage_parameters.hpp"

namespace moesim {

namespace {

constexpr std::int64_t bf16_bytes = 2;
constexpr std::int64_t fp32_bytes = 4;
constexpr Bytes framework_bytes{4LL * 1024 * 1024 * 1024};

/// Bytes of a value that a product takes as its input: it is kept as the product reads it, with a
/// 4-byte scale for each 128 values of fp8.
std::int64_t input_bytes(const Sizes& s, std::int64_t values) {
  return token_bytes(values, s.precision);
}

/// The residual stream, which the norm of a block takes, and the norm's output.
std::int64_t norm_bytes(const Workload& workload, const Sizes& s) {
  const std::int64_t values = s.tokens_per_rank * s.hidden;
  const bool dropped = workload.plan.recomputes(RecomputeModule::norm);
  return values * bf16_bytes + (dropped ? 0 : input_bytes(s, values));
}

/// What the backward pass of an attention block needs, of one micro-batch.
std::int64_t attention_bytes(const Workload& workload, const Sizes& s) {
  const AttentionSpec& a = workload.model.attention;
  const std::int64_t heads = std::max<std::int64_t>(1, a.heads / s.tensor);
  const std::int64_t kv_heads = std::max<std::int64_t>(1, a.kv_heads / s.tensor);
  const std::int64_t output = s.tokens * heads * a.value_dim;
  // Queries, keys and values; the output, which both its own gradient and the next product need.
  std::int64_t projected = s.tokens * (heads * a.head_dim + kv_heads * (a.head_dim + a.value_dim));
  projected *= bf16_bytes;
  std::int64_t bytes = norm_bytes(workload, s);
  if (workload.training.compressed_activations)
    bytes += token_bytes(output, Precision::fp8) + output / 2; // 12 bits
  else
    bytes += output * bf16_bytes + (s.precision == Precision::fp8 ? input_bytes(s, output) : 0);
  if (a.kind == AttentionKind::latent) {
    // The latents before their norms, and after.
    const std::int64_t latents = s.tokens * (a.q_lora_rank + a.kv_lora_rank);
    bytes += (latents + s.tokens * a.rope_dim) * bf16_bytes;
    projected += input_bytes(s, latents);
    if (workload.plan.recomputes(RecomputeModule::mla_projection))
      return bytes;
  }
  return bytes + projected;
}

/// A feed-forward of `width` on `tokens` tokens after its input: the up (and gate) outputs, of
/// `kept` precision, and the activation's output.
std::int64_t feed_forward_bytes(const Workload& workload, const Sizes& s, std::int64_t tokens,
                                std::int64_t width, bool keeps_activation,
                                Precision kept = Precision::bf16) {
  const std::int64_t inputs = workload.model.feed_forward_matrices - 1;
  return token_bytes(inputs * tokens * width, kept) +
         (keeps_activation ? input_bytes(s, tokens * width) : 0);
}

std::int64_t layer_bytes(const Workload& workload, const LayerSpec& layer, const Sizes& s) {
  const ParallelPlan& plan = workload.plan;
  if (plan.recompute == Recompute::full)
    return s.tokens_per_rank * s.hidden * bf16_bytes;
  std::int64_t bytes = layer.attention_blocks * attention_bytes(workload, s);
  bytes += norm_bytes(workload, s);
  if (!layer.moe)
    return plan.recomputes(RecomputeModule::dense)
               ? bytes
               : bytes +
                     feed_forward_bytes(workload, s, s.tokens, layer.dense_hidden / s.tensor, true);
  if (plan.recomputes(RecomputeModule::moe))
    return bytes;
  const ExpertSpec& e = workload.model.experts;
  const std::int64_t routed = expert_tokens_per_rank(workload);
  // The router's input in bf16 beside the products' in fp8, unless the norm is made again; its
  // scores in fp32. The weights of a token's experts multiply the activation's output, so that the
  // last product's is not kept.
  if (s.precision == Precision::fp8 && !plan.recomputes(RecomputeModule::norm))
    bytes += s.tokens_per_rank * s.hidden * bf16_bytes;
  bytes += s.tokens_per_rank * e.experts * fp32_bytes;
  bytes += input_bytes(s, routed * s.hidden);
  bytes += feed_forward_bytes(workload, s, routed, e.expert_hidden / plan.expert_tensor,
                              !plan.recomputes(RecomputeModule::activation),
                              workload.training.compressed_activations ? Precision::fp8
                                                                       : Precision::bf16);
  if (!plan.recomputes(RecomputeModule::shared_experts))
    bytes += feed_forward_bytes(workload, s, s.tokens, e.shared_hidden / s.tensor, true);
  return bytes;
}

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
  return weights + gradients + optimizer_states + gathered + activations + dispatch_buffers +
         framework;
}

MemoryEstimate estimate_memory(const Workload& workload, std::int64_t stage) {
  const ParallelPlan& plan = workload.plan;
  const Sizes s = sizes_of(workload);
  const StageParameters p = stage_parameters(workload, stage);
  MemoryEstimate memory;
  memory.stage = stage;
  memory.framework = framework_bytes;
  const std::int64_t all = p.dense_per_rank + p.expert_per_rank;
  const std::int64_t sharded =
      (p.dense_per_rank / plan.replicas() + p.expert_per_rank / plan.expert_data()) / plan.copies();
  memory.weights = Bytes{(plan.zero_stage >= 3 ? sharded : all) * bf16_bytes};
  memory.gradients =
      Bytes{(plan.zero_stage >= 2 ? sharded : all) * workload.training.gradient_bytes()};
  memory.optimizer_states = Bytes{(plan.zero_stage >= 1 ? sharded : all) * 3 * fp32_bytes};
  if (plan.zero_stage >= 2) // two layers of a stage are whole at a time: one in use, one under way
    memory.gathered =
        Bytes{2 * largest_layer(workload, stage) *
              (workload.training.gradient_bytes() + (plan.zero_stage >= 3 ? bf16_bytes : 0))};
  std::vector<std::int64_t> kept_bytes; // by a micro-batch in each chunk
  std::int64_t largest = 0;
  for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
    const std::int64_t virtual_stage = plan.virtual_stage(stage, chunk);
    const std::int64_t first = first_layer(plan, virtual_stage);
    const std::int64_t count = plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)];
    std::int64_t bytes = 0;
    for (std::int64_t layer = first; layer < first + count; ++layer) {
      const LayerSpec& spec = workload.model.layers[static_cast<std::size_t>(layer)];
      bytes += layer_bytes(workload, spec, s);
      Workload kept = workload;
      kept.plan.recompute = Recompute::none;
      largest = std::max(largest, layer_bytes(kept, spec, s));
    }
    if (virtual_stage == plan.virtual_stage_count() - 1)
      bytes += workload.model.mtp_layers * layer_bytes(workload, workload.model.layers.back(), s);
    kept_bytes.push_back(bytes);
  }
  const StageOrder order = pipeline_order(plan, stage, plan.micro_batches(workload.training));
  memory.activations = Bytes{most_kept(order, kept_bytes)};
  // Full recompute keeps one layer's activations while it is being repeated.
  if (plan.recompute == Recompute::full)
    memory.activations += Bytes{largest};
  if (holds(plan, stage, plan.virtual_stage_count() - 1)) // logits and gradient: bf16 and fp32
    memory.activations += Bytes{(1 + workload.model.mtp_layers) * s.tokens *
                                workload.model.vocabulary / s.tensor * (bf16_bytes + fp32_bytes)};
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
