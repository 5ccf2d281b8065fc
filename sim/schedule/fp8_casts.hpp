#pragma once

#include "sim/workload/workload.hpp"

namespace moesim {

/// The precision of a training's GEMMs; those of the router and the head stay in bf16.
Precision gemm_precision(const TrainingSpec& training);

/// Bytes a value that casts to fp8 around a GEMM move; 0 in bf16. Scales run along the dimension
/// that a GEMM sums over. A gradient of weights sums over tokens, so its operands are cast by
/// columns as well as by rows.
/// - Per tensor: read for the largest value, read, written, written transposed.
/// - Blockwise and MX: read, written by rows and by columns.
/// - Blockwise with `compressed_activations`, as DeepSeek-V3 does it (arXiv 2412.19437, sections
///   3.3.2 and 3.5.2; 18 casts in `attn(B)` of a layer of deepseek-ai/profile-data): the input is
///   kept by rows alone and cast from there in the backward pass; an output's gradient is cast
///   twice, by rows and by columns.
/// Not modelled: norms and activations that cast their results, and casts of weights, once a step.
CastBytes cast_bytes(const TrainingSpec& training);

/// Casts around the GEMMs of routed experts. Values dispatched in fp8 are already cast by rows: the
/// tokens before the first GEMM, and the gradients of results before the gradient GEMMs of the
/// last. A fused feed-forward casts the activation and its gradient inside its GEMMs. Fused or
/// blockwise, one launch casts for all experts of a rank, else one launch for each.
struct ExpertCastBytes {
  CastBytes first; ///< gate and up
  CastBytes last;  ///< down
};
ExpertCastBytes expert_cast_bytes(const Workload& workload);

/// Bytes a value of the cast before a dispatch in fp8, of tokens or of the gradients of results; 0
/// if there is none.
std::int64_t dispatch_cast_bytes(const Workload& workload);

} // namespace moesim
