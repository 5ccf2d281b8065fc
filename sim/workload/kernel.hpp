#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/base/units.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace moesim {

/// The number format of GEMM operands, and of the activations that dispatch sends.
enum class Precision {
  bf16,
  fp8,            ///< with a scale for each block of values
  fp8_per_tensor, ///< with one scale for a tensor: its GEMMs have measured speeds of their own
  nvfp4 ///< 4 bits, a scale of 8 bits for each 16 values and one for a tensor (arXiv 2509.25149)
};

/// The names of precisions in tables.
inline constexpr auto precision_names =
    std::to_array<Named<Precision>>({{Precision::bf16, "bf16"},
                                     {Precision::fp8, "fp8"},
                                     {Precision::fp8_per_tensor, "fp8_per_tensor"},
                                     {Precision::nvfp4, "nvfp4"}});
static_assert(names_each(precision_names));

/// The precisions that tables of GEMMs have, and their names there. NVFP4 scales those of fp8.
inline constexpr std::array tabled_precisions = {Precision::bf16, Precision::fp8,
                                                 Precision::fp8_per_tensor};
inline constexpr auto tabled_precision_names =
    std::to_array<Named<Precision>>({{Precision::bf16, "bf16"},
                                     {Precision::fp8, "fp8"},
                                     {Precision::fp8_per_tensor, "fp8_per_tensor"}});

/// Some precisions, in the order of their enumeration.
using Precisions = std::span<const Precision>;

/// Size of a value in bf16.
constexpr std::int64_t bf16_bytes = 2;

/// Whether values are cast to fewer bits, with scales, before a GEMM reads them.
constexpr bool is_quantised(Precision precision) {
  return precision != Precision::bf16;
}

/// The kinds of GPU kernel of a training step.
enum class KernelKind {
  gemm,                    ///< one GEMM, m × k by k × n
  grouped_gemm,            ///< `groups` GEMMs of m × k by k × n each: the experts of one rank
  grouped_data_gradient,   ///< the same for the gradient of a grouped GEMM's input
  grouped_weight_gradient, ///< the gradient GEMMs of a grouped GEMM's weights, k × n each
  batched_gemm,            ///< `groups` GEMMs of one launch whose operands are both activations
  attention_forward,       ///< causal self-attention over full sequences
  attention_backward,      ///< its gradient
  token_scan,              ///< a recurrence over the tokens of sequences: gated delta nets, Mamba
  memory_bound ///< norms, activations, routing, permutation, optimizer: time follows bytes
};

/// The pass of a GEMM in training.
enum class GemmPass {
  forward,       ///< of the inputs with the weights
  data_gradient, ///< of the outputs' gradients with the weights
  weight_gradient
};

/// The part of the model that a kernel belongs to. The result's breakdown has one sum for each
/// part.
enum class KernelPart { attention, router, permute, expert, shared_expert, dense, head, optimizer };

/// The dense peak in a precision, of the members bf16, fp8 and fp4 of a GPU's rates.
template <typename Rates> FlopsPerSecond peak_of(const Rates& rates, Precision precision) {
  switch (precision) {
  case Precision::bf16:
    return rates.bf16;
  case Precision::fp8:
  case Precision::fp8_per_tensor:
    return rates.fp8;
  case Precision::nvfp4:
    break;
  }
  return rates.fp4;
}

/// Bytes of `values` in NVFP4, with the scale of each 16.
constexpr std::int64_t nvfp4_bytes(std::int64_t values) {
  constexpr std::int64_t block = 16;
  return (values + 1) / 2 + (values + block - 1) / block;
}

/// Bytes that casts to fp8 or NVFP4 move for each value of a GEMM's operands. The casts are kernels
/// of their own before the GEMM.
struct CastBytes {
  std::int64_t input = 0;    ///< of the GEMM's input, m × k of each group
  std::int64_t gradient = 0; ///< of the output's gradient, m × n, for the gradient of the input
  std::int64_t saved = 0;    ///< of the input once more, for the gradient of the weight
  bool together = true;      ///< one launch casts all groups; else one launch a group
  bool operator==(const CastBytes&) const = default;
};

/// One kernel as an amount of work: shapes, FLOPs and bytes, no time.
struct Kernel {
  KernelKind kind = KernelKind::memory_bound;
  KernelPart part = KernelPart::dense;
  Precision precision = Precision::bf16;
  /// Rows (tokens) of one GEMM of a group. A weight gradient sums over them.
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t groups = 1;
  /// Rows of the busiest group over `m`, the mean.
  double busiest_over_mean = 1.0;
  bool bias = false; ///< grouped GEMMs add a bias to each row, their weight gradients sum it up
  /// For attention: sequences, tokens of a sequence, query and key/value heads of this rank, width
  /// of a query/key head and of a value head.
  std::int64_t batch = 0;
  std::int64_t sequence = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t value_dim = 0;
  std::int64_t context = 1;  ///< ranks that share this attention evenly, by its queries
  std::int64_t window = 0;   ///< tokens that a query attends to at most; 0: all before it
  std::int64_t selected = 0; ///< tokens that an indexer leaves to a query; 0: all before it
  /// Floating-point operations. GEMMs: 2·m·n·k·groups. Attention forward: the causal half of
  /// 2·batch·heads·sequence²·(head_dim + value_dim) / context; backward: 2.5 times that. A sliding
  /// window counts the blocks of 128 × 128 scores that it touches: window + 128 keys for each
  /// query. With an indexer, query number t from 1 has the lesser of t and `selected`.
  Flops flops;
  /// Bytes read from and written to device memory, each operand once.
  Bytes bytes;
  /// For `memory_bound` and `token_scan`: bytes that its gradient reads and writes.
  Bytes gradient_bytes;
  /// For `memory_bound` and `token_scan`: number of consecutive launches that this kernel, or its
  /// gradient, represents; no launches: no gradient kernel.
  std::int64_t launches = 1;
  std::int64_t gradient_launches = 1;
  /// The host launches it within the call of the framework that launches the kernel before it.
  bool same_call = false;
  /// Casts of the operands of a quantised GEMM. For a gradient GEMM, `input` is the operand that it
  /// casts itself.
  CastBytes cast;
  /// Bytes that a gradient of weights also reads and writes, to add itself to the sum over earlier
  /// micro-batches.
  Bytes accumulated;
  /// The backward pass runs the kernel again, as its result is not kept (selective recompute).
  bool repeated = false;

  bool operator==(const Kernel&) const = default;
};

/// Number of cast kernels that run before a GEMM.
std::int64_t cast_launches(const Kernel& kernel);

Kernel gemm(KernelPart part, Precision precision, std::int64_t m, std::int64_t n, std::int64_t k);
Kernel grouped_gemm(KernelPart part, Precision precision, std::int64_t groups, std::int64_t m,
                    std::int64_t n, std::int64_t k);
/// The gradients of the inputs of `groups` GEMMs of m × n by n × k each: GEMMs of m × k by k × n.
Kernel grouped_data_gradient(KernelPart part, Precision precision, std::int64_t groups,
                             std::int64_t m, std::int64_t n, std::int64_t k);
/// The gradients of the weights of `groups` GEMMs of m × k by k × n each.
Kernel grouped_weight_gradient(KernelPart part, Precision precision, std::int64_t groups,
                               std::int64_t m, std::int64_t n, std::int64_t k);
/// `batch` GEMMs of m × k by k × n, in bf16: both operands are activations, and have a gradient.
Kernel batched_gemm(KernelPart part, std::int64_t batch, std::int64_t m, std::int64_t n,
                    std::int64_t k);
/// Attention over `batch` full sequences.
struct AttentionShape {
  std::int64_t batch = 0;
  std::int64_t sequence = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t value_dim = 0;
  std::int64_t context = 1;  ///< ranks that share it evenly, by its queries
  std::int64_t window = 0;   ///< tokens that a query attends to at most; 0: all before it
  std::int64_t selected = 0; ///< tokens that an indexer leaves to a query; 0: all before it
};
/// FLOPs of attention's backward pass over those of its forward pass: five GEMMs instead of two.
/// FlashAttention-2, arXiv 2307.08691, section 3.1.
inline constexpr double attention_backward_flops_ratio = 2.5;
Kernel attention_forward(const AttentionShape& shape);
Kernel attention_backward(const AttentionShape& shape);
/// A memory-bound kernel. Its gradient reads and writes twice the bytes, unless tokens are packed
/// or sorted: they go back the same way.
Kernel memory_bound(KernelPart part, Bytes bytes);
/// Time of the gradient of a scan over that of the scan: chunk_kda of flash-linear-attention takes
/// 3.3 (RTX 5090, 8,192 tokens, 64 and 96 heads of 128: 15.3 over 3.6 and 23.5 over 5.4 ms for both
/// passes; MoonshotAI/FlashKDA: BENCHMARK_TRAIN_RTX5090.md@070933c11). It makes the states again.
inline constexpr double scan_gradient_ratio = 3.3;
/// A recurrence over tokens that runs in chunks, as `launches` kernels. Its gradient has
/// `scan_gradient_ratio` times the bytes and FLOPs.
Kernel token_scan(Bytes bytes, Flops flops, std::int64_t launches);
/// Keys for each query, on average over a sequence, if a query has `most` at most, itself and those
/// before it: most · (1 − most / 2·sequence). Half the sequence if 0 or more than it.
double mean_keys(std::int64_t sequence, std::int64_t most);

} // namespace moesim
