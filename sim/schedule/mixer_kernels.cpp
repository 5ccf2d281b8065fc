#include "sim/schedule/mixer_kernels.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/layer_segments.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

constexpr std::int64_t single_bytes = 4; ///< of a value in fp32

/// The widths of a recurrent mixer on one rank, in values a token.
struct MixerWidths {
  std::int64_t heads = 0;
  std::int64_t key_heads = 0;
  std::int64_t keys = 0;      ///< all keys; queries are as wide
  std::int64_t values = 0;    ///< all values; their gate is as wide
  std::int64_t convolved = 0; ///< inputs of the convolution, or of the activation in its place
  std::int64_t projected = 0; ///< outputs of the first projection
  std::int64_t numbers = 0;   ///< decays and steps of its heads, kept in fp32
};

MixerWidths widths_of(const AttentionSpec& a, std::int64_t tensor) {
  MixerWidths w;
  w.heads = a.kind == AttentionKind::mamba1 ? 1 : heads_per_rank(a.heads, tensor);
  w.key_heads = heads_per_rank(a.kv_heads, tensor);
  w.keys = w.key_heads * a.head_dim;
  w.values = w.heads * a.value_dim;
  w.convolved = w.values + (a.kind == AttentionKind::mamba1 ? 0 : 2 * w.keys);
  if (a.kind == AttentionKind::gated_delta)
    w.numbers = 2 * w.heads; // decay and step
  else if (a.kind == AttentionKind::mamba2)
    w.numbers = w.heads; // time step
  w.projected = w.convolved + w.values + w.numbers;
  return w;
}

/// A scan as an amount of work for one token.
struct ScanWork {
  double bytes = 0.0;
  double multiply_adds = 0.0;
  std::int64_t launches = 1;
};

/// Kernels of chunk_gated_delta_rule (fla-org/flash-linear-attention: fla/ops/gated_delta_rule),
/// chunks of 64: norms of queries and keys, products of keys, the inverse of their triangle
/// (written and read in fp32, then in bf16), the two products with it, states (bf16, written and
/// read once a chunk) and outputs.
ScanWork gated_delta_scan(const AttentionSpec& a, const MixerWidths& w) {
  constexpr double chunk = 64.0;
  const auto heads = static_cast<double>(w.heads);
  const auto key = static_cast<double>(a.head_dim);
  const auto value = static_cast<double>(a.value_dim);
  const double triangle = chunk * (2 * single_bytes + 2 * bf16_bytes);
  const double states = 2.0 * key * value / chunk * bf16_bytes;
  return {.bytes = 4.0 * static_cast<double>(w.keys) * bf16_bytes +
                   heads * ((7.0 * key + 6.0 * value) * bf16_bytes + triangle + states),
          .multiply_adds = heads * (chunk * (3.0 * key + 2.0 * value) + 3.0 * key * value),
          .launches = 8};
}

/// Lightning Attention-2 (arXiv 2401.04658, algorithm 1), blocks of 256: keys and values are read
/// for the states, then with queries for the outputs; states in fp32 once a block.
ScanWork lightning_scan(const AttentionSpec& a, const MixerWidths& w) {
  constexpr double block = 256.0;
  const auto heads = static_cast<double>(w.heads);
  const auto key = static_cast<double>(a.head_dim);
  const auto value = static_cast<double>(a.value_dim);
  return {.bytes = heads * ((3.0 * key + 3.0 * value) * bf16_bytes +
                            2.0 * key * value / block * single_bytes),
          .multiply_adds = heads * (block / 2.0 * (key + value) + 2.0 * key * value),
          .launches = 2};
}

/// mamba_chunk_scan_combined (state-spaces/mamba: mamba_ssm/ops/triton/ssd_combined.py), chunks of
/// 128: states of the chunks (fp32, written, read and written by their recurrence, read), products
/// of both ends of the state (fp32, written and read) and outputs.
ScanWork mamba2_scan(const AttentionSpec& a, const MixerWidths& w) {
  constexpr double chunk = 128.0;
  const auto values = static_cast<double>(w.values);
  const auto keys = static_cast<double>(w.keys);
  const auto state = static_cast<double>(a.head_dim);
  const auto groups = static_cast<double>(w.key_heads);
  return {.bytes = (3.0 * values + 4.0 * keys) * bf16_bytes + 2.0 * groups * chunk * single_bytes +
                   4.0 * values * state / chunk * single_bytes,
          .multiply_adds = chunk * keys + values * (chunk + 2.0 * state),
          .launches = 5};
}

/// The fused scan of Mamba-1 (arXiv 2312.00752, section 3.3.2): inputs, time steps and gates are
/// read, outputs written, states stay on the chip. Nine operations a value of the state (appendix
/// of state-spaces/mamba's own counts).
ScanWork mamba1_scan(const AttentionSpec& a, const MixerWidths& w) {
  const auto values = static_cast<double>(w.values);
  const auto state = static_cast<double>(a.head_dim);
  return {.bytes = (4.0 * values + 2.0 * state) * bf16_bytes,
          .multiply_adds = 4.5 * values * state,
          .launches = 1};
}

ScanWork scan_of(const AttentionSpec& a, const MixerWidths& w) {
  switch (a.kind) {
  case AttentionKind::gated_delta:
    return gated_delta_scan(a, w);
  case AttentionKind::lightning:
    return lightning_scan(a, w);
  case AttentionKind::mamba1:
    return mamba1_scan(a, w);
  case AttentionKind::mamba2:
    return mamba2_scan(a, w);
  case AttentionKind::grouped_query:
  case AttentionKind::latent:
    break;
  }
  INVARIANT(false, "attention of kind {} has no scan", static_cast<int>(a.kind));
}

} // namespace

std::vector<Kernel> mixer_kernels(const Workload& workload, const Sizes& s) {
  const AttentionSpec& a = workload.model.attention_of(s.layer);
  const MixerWidths w = widths_of(a, s.tensor);
  const auto projection = [&](std::int64_t n, std::int64_t k) {
    return token_gemm(KernelPart::attention, s, n, k);
  };
  std::vector<Kernel> kernels{layer_norm(workload, KernelPart::attention, s),
                              projection(w.projected, s.hidden),
                              touch(KernelPart::attention, 2 * s.tokens * w.convolved)};
  if (a.kind == AttentionKind::mamba1) {
    kernels.push_back(projection(a.time_rank + 2 * a.head_dim, w.values));
    kernels.push_back(projection(w.values, a.time_rank));
  }
  const ScanWork scan = scan_of(a, w);
  const auto tokens = static_cast<double>(s.tokens);
  kernels.push_back(token_scan(Bytes{std::llround(tokens * scan.bytes)},
                               Flops{2.0 * tokens * scan.multiply_adds}, scan.launches));
  kernels.push_back(touch(KernelPart::attention, 3 * s.tokens * w.values));
  kernels.push_back(projection(s.hidden, w.values));
  kernels.push_back(residual(workload, KernelPart::attention, s));
  return kernels;
}

Bytes mixer_kept(const Workload& workload, const Sizes& s) {
  const AttentionSpec& a = workload.model.attention_of(s.layer);
  const MixerWidths w = widths_of(a, s.tensor);
  std::int64_t values = 2 * w.convolved + 2 * w.values;
  if (a.kind == AttentionKind::gated_delta)
    values += 64 * w.heads; // the inverse of a chunk's triangle
  else if (a.kind == AttentionKind::mamba1)
    values += w.values + a.time_rank + 2 * a.head_dim; // time steps, wide and of low rank
  return Bytes{s.tokens * (values * bf16_bytes + w.numbers * single_bytes) +
               token_bytes(s.tokens * w.values, s.precision)};
}

std::vector<Kernel> indexer_kernels(const Workload& workload, const Sizes& s) {
  const AttentionSpec& a = workload.model.attention_of(s.layer);
  const std::int64_t queries = a.index_heads * a.index_dim;
  const std::int64_t batch = workload.training.micro_batch;
  const std::int64_t sequence = workload.training.sequence_length;
  const std::int64_t pairs = batch * sequence * sequence / 2; // of a query and a key before it
  const auto projection = [&](std::int64_t n, std::int64_t k) {
    return token_gemm(KernelPart::attention, s, n, k);
  };
  // Scores without values, of one key for all heads; summed over heads before they are written.
  Kernel scores = attention_forward({batch, sequence, a.index_heads, 1, a.index_dim, 0, 1, 0, 0});
  scores.bytes += Bytes{pairs * single_bytes};
  // Scores are read once for each byte of a radix sort's key, and the chosen numbers written.
  const Bytes chosen{s.tokens * std::min(a.index_top, sequence) * single_bytes};
  Kernel choice = memory_bound(KernelPart::attention, Bytes{pairs * single_bytes * 4} + chosen);
  choice.gradient_launches = 0;
  return {projection(queries, a.q_lora_rank), projection(a.index_dim + a.index_heads, s.hidden),
          touch(KernelPart::attention, 2 * s.tokens * (queries + a.index_dim)), scores, choice};
}

Bytes indexer_kept(const Workload& workload, const Sizes& s) {
  const AttentionSpec& a = workload.model.attention_of(s.layer);
  const std::int64_t chosen = std::min(a.index_top, workload.training.sequence_length);
  return Bytes{s.tokens *
               ((a.index_heads * a.index_dim + a.index_dim + a.index_heads) * bf16_bytes +
                chosen * single_bytes)};
}

} // namespace moesim
