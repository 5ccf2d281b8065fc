#pragma once

#include "sim/workload/kernel.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// The kinds of gradients that a pass computes.
enum class Gradients {
  all,
  inputs, ///< all but those of GEMM weights
  weights ///< those of GEMM weights
};

/// The backward pass of forward kernels, last first. A GEMM has two gradient GEMMs: one of its
/// inputs, and one of its weight, which adds to a sum of `sum_bytes` a parameter. A batched GEMM
/// has one for each operand. Attention has its gradient. A kernel that packs or sorts tokens has
/// the same bytes, other memory-bound kernels twice the bytes. A `repeated` kernel runs once more
/// before its gradient.
std::vector<Kernel> gradient_kernels(const std::vector<Kernel>& forward, Gradients gradients,
                                     std::int64_t sum_bytes);

} // namespace moesim
