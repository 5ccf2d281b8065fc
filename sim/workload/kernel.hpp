#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/base/units.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace moesim {

/// The number format of matrix products, and of what travels to experts.
enum class Precision {
  bf16,
  fp8,           ///< with a scale for each block of values
  fp8_per_tensor ///< with one scale for a tensor: products of their own speed
};

/// The names of precisions in tables.
inline constexpr auto precision_names =
    std::to_array<Named<Precision>>({{Precision::bf16, "bf16"},
                                     {Precision::fp8, "fp8"},
                                     {Precision::fp8_per_tensor, "fp8_per_tensor"}});
static_assert(names_each(precision_names));

/// Some precisions, in the order of their enumeration.
using Precisions = std::span<const Precision>;

/// Of a value in bf16.
constexpr std::int64_t bf16_bytes = 2;

constexpr bool is_fp8(Precision precision) {
  return precision != Precision::bf16;
}

/// The kinds of GPU kernel that a training step is made of.
enum class KernelKind {
  gemm,                    ///< one matrix product, m × k by k × n
  grouped_gemm,            ///< `groups` products of m × k by k × n each: the experts of one rank
  grouped_weight_gradient, ///< the gradients, k × n each, of the weights of such products
  attention_forward,       ///< causal self-attention over whole sequences
  attention_backward,      ///< its gradient
  memory_bound ///< norms, activations, routing, permutation, optimizer: time follows bytes
};

/// The part of the model that a kernel belongs to: what the result's breakdown adds up.
enum class KernelPart { attention, router, permute, expert, shared_expert, dense, head, optimizer };

/// The bytes that casts to fp8 move for each value of what a product reads: kernels of their own
/// before it.
struct CastBytes {
  std::int64_t input = 0;    ///< of its input, m × k of each group
  std::int64_t gradient = 0; ///< of its output's gradient, m × n, for the gradient of its input
  std::int64_t saved = 0;    ///< of its input once more, for the gradient of its weight
  bool together = true;      ///< of all groups in one launch, not group by group
  bool operator==(const CastBytes&) const = default;
};

/// One kernel as an amount of work: shapes, FLOPs and bytes, no time.
struct Kernel {
  KernelKind kind = KernelKind::memory_bound;
  KernelPart part = KernelPart::dense;
  Precision precision = Precision::bf16;
  /// Rows of one product (tokens), for `gemm`, `grouped_gemm` and its weight gradient, whose sum
  /// runs over them; m is per group.
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t groups = 1;
  bool bias = false; ///< grouped products add a bias to each row, their weight gradients sum it up
  /// For attention: sequences, tokens of a sequence, query and key/value heads of this rank, width
  /// of a query/key head and of a value head.
  std::int64_t batch = 0;
  std::int64_t sequence = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t value_dim = 0;
  std::int64_t context = 1; ///< ranks that share this attention evenly, by its queries
  std::int64_t window = 0;  ///< tokens that a query attends to at most; 0: all before it
  /// Floating-point operations: 2·m·n·k·groups for products; for attention the causal half of
  /// 2·batch·heads·sequence²·(head_dim + value_dim) / context forward, 2.5 times that backward. Of
  /// a window the blocks of 128 × 128 scores that it touches: window + 128 keys for each query.
  Flops flops;
  /// Bytes read from and written to device memory, each operand once.
  Bytes bytes;
  /// For `memory_bound`: of its gradient.
  Bytes gradient_bytes;
  /// For `memory_bound`: kernels one after the other that this one stands for, and its gradient.
  std::int64_t launches = 1;
  std::int64_t gradient_launches = 1;
  /// Of the operands of an fp8 product; of a gradient, what it casts itself is its input.
  CastBytes cast;
  /// What a gradient of weights reads and writes besides, to add itself to the sum of the
  /// micro-batches before.
  Bytes accumulated;
  /// Its result is not kept: the backward pass runs it again (selective recompute).
  bool repeated = false;

  bool operator==(const Kernel&) const = default;
};

/// Casts that run before a product, each a kernel.
std::int64_t cast_launches(const Kernel& kernel);

Kernel gemm(KernelPart part, Precision precision, std::int64_t m, std::int64_t n, std::int64_t k);
Kernel grouped_gemm(KernelPart part, Precision precision, std::int64_t groups, std::int64_t m,
                    std::int64_t n, std::int64_t k);
/// The gradients of the weights of `groups` products of m × k by k × n each.
Kernel grouped_weight_gradient(KernelPart part, Precision precision, std::int64_t groups,
                               std::int64_t m, std::int64_t n, std::int64_t k);
/// Attention over `batch` whole sequences; set `backward` for the gradient.
struct AttentionShape {
  std::int64_t batch = 0;
  std::int64_t sequence = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t value_dim = 0;
  std::int64_t context = 1; ///< ranks that share it evenly, by its queries
  std::int64_t window = 0;  ///< tokens that a query attends to at most; 0: all before it
};
Kernel attention_forward(const AttentionShape& shape);
Kernel attention_backward(const AttentionShape& shape);
/// Its gradient reads and writes twice the bytes; tokens that were packed or sorted go back the
/// same way.
Kernel memory_bound(KernelPart part, Bytes bytes);

} // namespace moesim
