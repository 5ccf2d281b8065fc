#include "sim/workload/model_spec.hpp"

namespace moesim {

namespace {

/// Weights of the projections of one attention block; a token takes one multiply-add for each
/// weight.
std::int64_t attention_matrices(const ModelSpec& model) {
  const AttentionSpec& a = model.attention;
  if (a.kind == AttentionKind::grouped_query)
    return model.hidden * (a.heads * a.head_dim + a.kv_heads * (a.head_dim + a.value_dim)) +
           a.heads * a.value_dim * model.hidden;
  const std::int64_t query = a.q_lora_rank > 0
                                 ? a.q_lora_rank * (model.hidden + a.heads * a.head_dim)
                                 : model.hidden * a.heads * a.head_dim;
  const std::int64_t nope = a.head_dim - a.rope_dim;
  return query + model.hidden * (a.kv_lora_rank + a.rope_dim) +
         a.kv_lora_rank * a.heads * (nope + a.value_dim) + a.heads * a.value_dim * model.hidden;
}

/// Norms and biases of one attention block.
std::int64_t attention_vectors(const ModelSpec& model) {
  const AttentionSpec& a = model.attention;
  std::int64_t vectors = model.hidden; // the norm before the block
  if (a.kind == AttentionKind::latent)
    vectors += a.q_lora_rank + a.kv_lora_rank;
  if (a.qk_norm)
    vectors += 2 * a.head_dim;
  if (a.qkv_bias)
    vectors += a.heads * a.head_dim + a.kv_heads * (a.head_dim + a.value_dim);
  if (a.output_bias)
    vectors += model.hidden;
  if (a.sinks)
    vectors += a.heads;
  return vectors;
}

std::int64_t feed_forward_matrices(const ModelSpec& model, std::int64_t width) {
  return model.feed_forward_matrices * model.hidden * width;
}

Flops twice(std::int64_t multiply_adds) {
  return {2.0 * static_cast<double>(multiply_adds)};
}

/// Published active counts differ in the input embedding, which is a look-up. Mixtral's 12.9 B is
/// reached with it (12.88 B; without 12.75 B), DeepSeek-V3's 37 B (36.7 B in README_WEIGHTS.md of
/// deepseek-ai/DeepSeek-V3) comes nearest without it (36.63 B; with it 37.55 B), and so do its
/// relatives with latent attention: DeepSeek-V2 (21 B), V2-Lite (2.4 B), Kimi-K2 (32 B).
bool counts_embedding_as_active(const ModelSpec& model) {
  return model.attention.kind != AttentionKind::latent;
}

} // namespace

LayerParameters layer_parameters(const ModelSpec& model, const LayerSpec& layer) {
  const ParameterCount count = count_blocks(model);
  LayerParameters sum;
  sum.shared_by_tokens = layer.attention_blocks * count.attention + count.norm;
  if (layer.moe) {
    sum.shared_by_tokens += count.router + count.shared;
    sum.routed_experts = model.experts.experts * count.expert;
  } else {
    sum.shared_by_tokens += feed_forward_matrices(model, layer.dense_hidden);
  }
  return sum;
}

LayerParameters mtp_layer_parameters(const ModelSpec& model) {
  LayerParameters sum = layer_parameters(model, model.layers.back());
  // The projection, a norm for each half of its input, and one before the head.
  sum.shared_by_tokens += (2 * model.hidden + 3) * model.hidden;
  return sum;
}

ParameterCount count_blocks(const ModelSpec& model) {
  const ExpertSpec& e = model.experts;
  ParameterCount count;
  count.embedding = model.vocabulary * model.hidden;
  count.head = model.tied_embeddings ? 0 : model.vocabulary * model.hidden;
  count.attention = attention_matrices(model) + attention_vectors(model);
  count.norm = model.hidden;
  count.router = e.experts * (model.hidden + (e.router_bias ? 1 : 0));
  count.expert = feed_forward_matrices(model, e.expert_hidden);
  if (e.expert_bias)
    count.expert += (model.feed_forward_matrices - 1) * e.expert_hidden + model.hidden;
  count.shared = feed_forward_matrices(model, e.shared_hidden) + (e.shared_gate ? model.hidden : 0);
  return count;
}

ParameterCount count_parameters(const ModelSpec& model) {
  ParameterCount count = count_blocks(model);
  const std::int64_t final_norm = model.hidden;
  count.total = count.embedding + count.head + final_norm;
  count.active = count.total;
  for (const LayerSpec& layer : model.layers) {
    const LayerParameters p = layer_parameters(model, layer);
    count.total += p.shared_by_tokens + p.routed_experts;
    count.active += p.shared_by_tokens;
    if (layer.moe)
      count.active += model.experts.experts_per_token * count.expert;
  }
  if (!counts_embedding_as_active(model) && !model.tied_embeddings)
    count.active -= count.embedding;
  return count;
}

Flops TokenFlops::total() const {
  return attention + router + expert + shared + dense + head;
}

TokenFlops flops_per_token_forward(const ModelSpec& model, std::int64_t sequence) {
  const AttentionSpec& a = model.attention;
  const ExpertSpec& e = model.experts;
  TokenFlops flops;
  // Scores and weighted values against a causal mean of half the sequence.
  const Flops scores = twice(a.heads * (a.head_dim + a.value_dim) * sequence) / 2.0;
  const auto add_layer = [&](const LayerSpec& layer) {
    flops.attention +=
        static_cast<double>(layer.attention_blocks) * (twice(attention_matrices(model)) + scores);
    if (layer.moe) {
      flops.router += twice(e.experts * model.hidden);
      flops.expert += twice(e.experts_per_token * feed_forward_matrices(model, e.expert_hidden));
      flops.shared += twice(feed_forward_matrices(model, e.shared_hidden));
    } else {
      flops.dense += twice(feed_forward_matrices(model, layer.dense_hidden));
    }
  };
  for (const LayerSpec& layer : model.layers)
    add_layer(layer);
  flops.head = twice(model.vocabulary * model.hidden);
  for (std::int64_t mtp = 0; mtp < model.mtp_layers; ++mtp) {
    add_layer(model.layers.back());
    flops.head += twice((model.vocabulary + 2 * model.hidden) * model.hidden);
  }
  return flops;
}

} // namespace moesim
