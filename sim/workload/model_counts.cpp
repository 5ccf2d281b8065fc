#include "sim/base/check.hpp"
#include "sim/workload/kernel.hpp"
#include "sim/workload/model_spec.hpp"

namespace moesim {

namespace {

/// Weights of the projections of plain attention.
std::int64_t grouped_query_matrices(std::int64_t hidden, const AttentionSpec& a) {
  const std::int64_t queries = a.heads * a.head_dim;
  const std::int64_t output = a.heads * a.value_dim;
  const std::int64_t query =
      a.q_lora_rank > 0 ? a.q_lora_rank * (hidden + queries) : hidden * queries;
  const std::int64_t keys_and_values =
      hidden * a.kv_heads * (a.head_dim + (a.tied_values ? 0 : a.value_dim));
  return query + keys_and_values + (a.output_gate ? 2 : 1) * hidden * output;
}

/// Weights of the lightning indexer: its queries, its one key, and the weights of its heads
/// (deepseek-ai/DeepSeek-V3.2-Exp: inference/model.py, Indexer).
std::int64_t indexer_matrices(std::int64_t hidden, const AttentionSpec& a) {
  return a.index_heads * a.index_dim * a.q_lora_rank + hidden * (a.index_dim + a.index_heads);
}

std::int64_t latent_matrices(std::int64_t hidden, const AttentionSpec& a) {
  const std::int64_t query = a.q_lora_rank > 0 ? a.q_lora_rank * (hidden + a.heads * a.head_dim)
                                               : hidden * a.heads * a.head_dim;
  const std::int64_t nope = a.head_dim - a.rope_dim;
  return query + hidden * (a.kv_lora_rank + a.rope_dim) +
         a.kv_lora_rank * a.heads * (nope + a.value_dim) + a.heads * a.value_dim * hidden +
         (a.index_heads > 0 ? indexer_matrices(hidden, a) : 0);
}

/// Weights of the projections of one attention block; a token takes one multiply-add for each
/// weight.
std::int64_t attention_matrices(std::int64_t hidden, const AttentionSpec& a) {
  const std::int64_t keys = a.kv_heads * a.head_dim;
  const std::int64_t values = a.heads * a.value_dim;
  switch (a.kind) {
  case AttentionKind::grouped_query:
    return grouped_query_matrices(hidden, a);
  case AttentionKind::latent:
    return latent_matrices(hidden, a);
  case AttentionKind::gated_delta: // queries, keys, values, gates; two numbers a head; the output
    return hidden * (2 * keys + 2 * values + 2 * a.heads) + values * hidden;
  case AttentionKind::lightning: // queries, keys, values, gates; the output
    return hidden * (2 * a.heads * a.head_dim + 2 * values) + values * hidden;
  case AttentionKind::mamba1: // channels and gates; time steps and both ends of the state
    return hidden * 2 * values + values * (a.time_rank + 2 * a.head_dim) + a.time_rank * values +
           values * hidden;
  case AttentionKind::mamba2: // channels and gates, both ends of the state, time steps
    return hidden * (2 * values + 2 * keys + a.heads) + values * hidden;
  }
  INVARIANT(false, "an attention of kind {}", static_cast<int>(a.kind));
}

/// Norms and biases inside plain or latent attention.
std::int64_t projection_vectors(std::int64_t hidden, const AttentionSpec& a) {
  std::int64_t vectors = a.q_lora_rank + a.kv_lora_rank;
  if (a.qk_norm)
    vectors += 2 * a.head_dim;
  if (a.wide_qk_norm)
    vectors += (a.heads + a.kv_heads) * a.head_dim;
  if (a.qkv_bias)
    vectors += a.heads * a.head_dim + a.kv_heads * (a.head_dim + a.value_dim);
  if (a.output_bias)
    vectors += hidden;
  if (a.sinks)
    vectors += a.heads;
  if (a.index_heads > 0) // a norm with a bias on the indexer's key
    vectors += 2 * a.index_dim;
  return vectors;
}

/// Norms, biases, convolutions and decays of one attention block, and the norm before it.
std::int64_t attention_vectors(std::int64_t hidden, const AttentionSpec& a) {
  const std::int64_t keys = a.kv_heads * a.head_dim;
  const std::int64_t values = a.heads * a.value_dim;
  switch (a.kind) {
  case AttentionKind::grouped_query:
  case AttentionKind::latent:
    return hidden + projection_vectors(hidden, a);
  case AttentionKind::gated_delta: // the convolution, two decays a head, a norm of a head
    return hidden + a.convolution * (2 * keys + values) + 2 * a.heads + a.value_dim;
  case AttentionKind::lightning: // a norm of the output
    return hidden + values;
  case AttentionKind::mamba1: // the convolution and its bias, biases of time steps, decays, skips;
                              // norms of time steps and of both ends of the state
    return hidden + values * (a.convolution + 1) + values + values * a.head_dim + values +
           a.time_rank + 2 * a.head_dim;
  case AttentionKind::mamba2: // the convolution and its bias, three numbers a head, a norm
    return hidden + (values + 2 * keys) * (a.convolution + 1) + 3 * a.heads + values;
  }
  INVARIANT(false, "an attention of kind {}", static_cast<int>(a.kind));
}

std::int64_t attention_parameters(const ModelSpec& model, const AttentionSpec& a) {
  return attention_matrices(model.hidden, a) + attention_vectors(model.hidden, a);
}

std::int64_t feed_forward_matrices(const ModelSpec& model, std::int64_t width) {
  return model.feed_forward_matrices * model.hidden * width;
}

Flops twice(std::int64_t multiply_adds) {
  return {2.0 * static_cast<double>(multiply_adds)};
}

/// Scores and weighted values of one token against `keys` others.
Flops score_flops(std::int64_t heads, std::int64_t width, double keys) {
  return twice(heads * width) * keys;
}

/// FLOPs of one token beside the projections: scores and weighted values of the pairs that its
/// attention leaves, or the recurrence and its convolution. Those of recurrences are Megatron-LM's
/// (training/training.py, num_floating_point_operations): 4 multiply-adds a value of the state of a
/// gated delta net, 7 operations a value of that of Mamba. Lightning attention updates and reads
/// its state, 2 multiply-adds a value. An indexer scores all pairs.
Flops mixing_flops(const AttentionSpec& a, const LayerSpec& layer, std::int64_t sequence) {
  const std::int64_t keys = a.kv_heads * a.head_dim;
  const std::int64_t values = a.heads * a.value_dim;
  switch (a.kind) {
  case AttentionKind::grouped_query:
  case AttentionKind::latent: {
    double left = mean_keys(sequence, a.index_top > 0 ? a.index_top : layer.window);
    if (layer.chunk > 0 && layer.chunk < sequence) { // whole chunks, and one of what is left
      const auto rest = static_cast<double>(sequence % layer.chunk);
      const auto chunk = static_cast<double>(layer.chunk);
      const auto whole = static_cast<double>(sequence) - rest;
      left = (whole * chunk + rest * rest) / (2.0 * static_cast<double>(sequence));
    }
    return score_flops(a.heads, a.head_dim + a.value_dim, left) +
           score_flops(a.index_heads, a.index_dim, mean_keys(sequence, 0));
  }
  case AttentionKind::gated_delta:
    return twice(4 * values * a.head_dim + a.convolution * (2 * keys + values));
  case AttentionKind::lightning:
    return twice(2 * values * a.head_dim);
  case AttentionKind::mamba1:
    return twice(a.convolution * values) + 3.5 * twice(values * a.head_dim);
  case AttentionKind::mamba2:
    return twice(a.convolution * (2 * keys + values)) + 3.5 * twice(values * a.head_dim);
  }
  INVARIANT(false, "an attention of kind {}", static_cast<int>(a.kind));
}

} // namespace

LayerParameters layer_parameters(const ModelSpec& model, const LayerSpec& layer) {
  const ParameterCount count = count_blocks(model);
  LayerParameters sum;
  sum.shared_by_tokens =
      layer.attention_blocks * attention_parameters(model, model.attention_of(layer));
  if (layer.has_feed_forward())
    sum.shared_by_tokens += count.norm;
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
  count.attention = attention_parameters(model, model.attention);
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
  if (!model.embedding_is_active && !model.tied_embeddings)
    count.active -= count.embedding;
  if (!model.head_is_active)
    count.active -= model.tied_embeddings ? count.embedding : count.head;
  return count;
}

Flops TokenFlops::total() const {
  return attention + router + expert + shared + dense + head;
}

TokenFlops flops_per_token_forward(const ModelSpec& model, std::int64_t sequence) {
  const ExpertSpec& e = model.experts;
  TokenFlops flops;
  const auto add_layer = [&](const LayerSpec& layer) {
    const AttentionSpec& a = model.attention_of(layer);
    flops.attention +=
        static_cast<double>(layer.attention_blocks) *
        (twice(attention_matrices(model.hidden, a)) + mixing_flops(a, layer, sequence));
    if (layer.moe) {
      flops.router += twice(e.experts * model.hidden);
      flops.expert += twice(e.experts_per_token * feed_forward_matrices(model, e.expert_hidden));
      flops.shared += twice(feed_forward_matrices(model, e.shared_hidden));
    } else {
      // A layer without a feed-forward has the width 0.
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
