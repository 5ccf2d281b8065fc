#pragma once

#include "sim/workload/workload.hpp"

namespace moesim {

/// The format of a training's products; those of the router and the head stay in bf16.
Precision product_precision(const TrainingSpec& training);

/// What casts to fp8 move around a product, bytes a value; nothing in bf16. Products read both
/// operands along the sum: a gradient of weights sums over tokens, for which its operands are cast
/// by columns as well as by rows.
/// - Per tensor: read for the largest value, read, written, written transposed.
/// - Blockwise and MX: read, written by rows and by columns.
/// - Blockwise with `compressed_activations`, as DeepSeek-V3 does it (arXiv 2412.19437, sections
///   3.3.2 and 3.5.2; 18 casts in `attn(B)` of a layer of deepseek-ai/profile-data): the input is
///   kept by rows alone and cast from there in the backward pass; an output's gradient is cast
///   twice, by rows and by columns.
/// Norms and activations that cast what they write, and casts of weights, once a step, are not
/// modelled.
CastBytes cast_bytes(const TrainingSpec& training);

/// Around the products of routed experts. What was dispatched in fp8 is cast by rows: tokens before
/// the first product, gradients of results before those of the last. A fused feed-forward casts the
/// activation and its gradient inside its products. Fused or in blocks all experts of a rank are
/// cast in one launch, else one by one.
struct ExpertCastBytes {
  CastBytes first; ///< gate and up
  CastBytes last;  ///< down
};
ExpertCastBytes expert_cast_bytes(const Workload& workload);

/// Bytes a value of tokens that are cast for a dispatch in fp8, and of their results' gradients.
std::int64_t dispatch_cast_bytes(const Workload& workload);

} // namespace moesim
