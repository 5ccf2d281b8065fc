#include "sim/schedule/kept_activations.hpp"

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/layer_segments.hpp"
#include "sim/schedule/mixer_kernels.hpp"
#include "sim/schedule/unfused_attention.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

namespace {

constexpr std::int64_t fp32_bytes = 4;

/// Sums the activations that a layer keeps.
class Kept {
public:
  Kept(const Workload& workload, Sizes sizes) : workload_(workload), sizes_(std::move(sizes)) {}

  void add(Bytes bytes) { kept_.on_gpu += bytes; }
  void add_bf16(std::int64_t values) { add(Bytes{values * bf16_bytes}); }
  void add_fp32(std::int64_t values) { add(Bytes{values * fp32_bytes}); }
  /// Adds values in `precision`; fp8 has a 4-byte scale for each 128 values.
  void add_scaled(std::int64_t values, Precision precision) {
    add(Bytes{token_bytes(values, precision)});
  }
  /// Adds the input of a GEMM, which is kept in the precision that the GEMM reads.
  void add_input(std::int64_t values) { add_scaled(values, sizes_.precision); }
  /// Moves the bytes that `add` adds to the host if the plan offloads the module's input.
  template <typename Add> void of_module(OffloadModule module, const Add& add) {
    const Bytes before = kept_.on_gpu;
    add();
    if (!workload_.plan.offload_modules.contains(module))
      return;
    kept_.on_host += kept_.on_gpu - before;
    kept_.on_gpu = before;
  }

  void add_attention();
  void add_dense(std::int64_t width);
  void add_experts();

  KeptActivations result() const { return kept_; }

private:
  bool recomputes(RecomputeModule module) const { return workload_.plan.recomputes(module); }
  void add_norm_input(OffloadModule module);
  void add_norm_output();
  void add_residual_mask();
  void add_feed_forward(std::int64_t tokens, std::int64_t width, Precision kept);

  const Workload& workload_;
  Sizes sizes_;
  KeptActivations kept_;
};

/// Adds the residual stream.
void Kept::add_norm_input(OffloadModule module) {
  of_module(module, [&] { add_bf16(sizes_.tokens_per_rank * sizes_.hidden); });
}

void Kept::add_norm_output() {
  if (!recomputes(RecomputeModule::norm))
    add_input(sizes_.tokens_per_rank * sizes_.hidden);
}

/// Adds the mask of the dropout before the residual: one byte a value.
void Kept::add_residual_mask() {
  if (workload_.training.hidden_dropout > 0.0)
    add(Bytes{sizes_.tokens_per_rank * sizes_.hidden});
}

void Kept::add_attention() {
  const Sizes& s = sizes_;
  const AttentionSpec& a = workload_.model.attention_of(s.layer);
  const std::int64_t heads = std::max<std::int64_t>(1, a.heads / s.tensor);
  const std::int64_t kv_heads = std::max<std::int64_t>(1, a.kv_heads / s.tensor);
  const std::int64_t output = s.tokens * heads * a.value_dim;
  add_norm_input(OffloadModule::attention_norm);
  add_residual_mask();
  if (is_recurrent(a.kind)) {
    of_module(OffloadModule::projection, [&] { add_norm_output(); });
    add(mixer_kept(workload_, s));
    return;
  }
  const bool unfused = workload_.training.attention == AttentionKernels::unfused;
  if (unfused && !recomputes(RecomputeModule::core_attention)) {
    add(kept_scores(workload_, heads));
    if (kv_heads < heads) // the copies of keys and values for each query head
      add_bf16(s.tokens * heads * (a.head_dim + a.value_dim));
  }
  of_module(OffloadModule::projection, [&] { add_norm_output(); });
  // The output: both its own gradient and the next GEMM need it.
  of_module(OffloadModule::output_projection, [&] {
    if (workload_.training.compressed_activations) {
      add_scaled(output, Precision::fp8);
      add(Bytes{output / 2}); // 12 bits
      return;
    }
    add_bf16(output);
    if (is_quantised(s.precision))
      add_input(output);
  });
  if (a.output_gate)
    add_bf16(output);
  if (a.index_heads > 0)
    add(indexer_kept(workload_, s));
  if (a.kind == AttentionKind::latent) {
    // The latents before their norms, and after.
    const std::int64_t latents = s.tokens * (a.q_lora_rank + a.kv_lora_rank);
    add_bf16(latents + s.tokens * a.rope_dim);
    if (recomputes(RecomputeModule::mla_projection))
      return;
    add_input(latents);
  }
  // Queries, keys and values.
  of_module(OffloadModule::core_attention, [&] {
    add_bf16(s.tokens * (heads * a.head_dim + kv_heads * (a.head_dim + a.value_dim)));
  });
  if (a.kind == AttentionKind::grouped_query && a.q_lora_rank > 0)
    add_input(s.tokens * a.q_lora_rank);
}

/// Adds the up (and gate) outputs of a feed-forward, in `kept` precision.
void Kept::add_feed_forward(std::int64_t tokens, std::int64_t width, Precision kept) {
  add_scaled((workload_.model.feed_forward_matrices - 1) * tokens * width, kept);
}

void Kept::add_dense(std::int64_t width) {
  add_norm_input(OffloadModule::feed_forward_norm);
  add_residual_mask();
  add_norm_output();
  if (recomputes(RecomputeModule::dense))
    return;
  add_feed_forward(sizes_.tokens, width, Precision::bf16);
  add_input(sizes_.tokens * width);
}

void Kept::add_experts() {
  const ExpertSpec& e = workload_.model.experts;
  const Sizes& s = sizes_;
  add_norm_input(OffloadModule::feed_forward_norm);
  add_residual_mask();
  add_norm_output();
  if (recomputes(RecomputeModule::moe))
    return;
  // The router's input is kept in bf16, beside the GEMMs' in fp8, unless the norm is recomputed.
  // The router's scores are kept in fp32, the inputs of second-level gates in bf16. The weights of
  // a token's experts multiply the activation's output, so the last GEMM's result is not kept.
  if (is_quantised(s.precision) && !recomputes(RecomputeModule::norm))
    add_bf16(s.tokens_per_rank * s.hidden);
  add_fp32(router_scores(workload_, s));
  add_bf16(second_gate_tokens(workload_, s) * s.hidden);
  const std::int64_t routed = expert_tokens_per_rank(workload_, s);
  const std::int64_t width = e.expert_hidden / workload_.plan.expert_tensor;
  of_module(OffloadModule::expert, [&] { add_input(routed * s.hidden); });
  const bool compressed = workload_.training.compressed_activations;
  of_module(OffloadModule::activation, [&] {
    add_feed_forward(routed, width, compressed ? Precision::fp8 : Precision::bf16);
  });
  if (!recomputes(RecomputeModule::activation))
    add_input(routed * width);
  if (recomputes(RecomputeModule::shared_experts))
    return;
  add_feed_forward(s.tokens, e.shared_hidden / s.tensor, Precision::bf16);
  add_input(s.tokens * (e.shared_hidden / s.tensor));
}

} // namespace

KeptActivations kept_activations(const Workload& workload, std::int64_t number,
                                 const std::shared_ptr<const ExpertLoad>& load) {
  const LayerSpec& layer = workload.model.layers[static_cast<std::size_t>(number)];
  Sizes sizes = layer.moe ? sizes_of_layer(workload, load) : sizes_of(workload);
  sizes.layer = layer;
  Kept kept(workload, std::move(sizes));
  if (workload.plan.recompute == Recompute::full) {
    kept.add_bf16(tokens_per_rank(workload) * workload.model.hidden);
    return kept.result();
  }
  for (std::int64_t block = 0; block < layer.attention_blocks; ++block)
    kept.add_attention();
  if (layer.moe)
    kept.add_experts();
  else if (layer.has_feed_forward())
    kept.add_dense(layer.dense_hidden / workload.plan.tensor);
  return kept.result();
}

} // namespace moesim
