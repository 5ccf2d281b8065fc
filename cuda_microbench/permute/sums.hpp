#pragma once

#include "cuda_microbench/harness/vectors.hpp"
#include "cuda_microbench/permute/routing.hpp"

/// Sums of a token's packed rows: the forward pass of unpermute, and the gradient of permute. Only
/// for .cu files.
namespace moesim::microbench::permute {

/// One block for each token: the sum of its packed rows times their weights, in fp32.
template <int top_k>
__global__ void sum_rows(const uint4* __restrict__ rows, const int* __restrict__ row_of_choice,
                         const float* __restrict__ weights, uint4* __restrict__ sums, int vectors) {
  const std::size_t token = blockIdx.x;
  const uint4* sources[top_k];
  float factors[top_k];
#pragma unroll
  for (int i = 0; i < top_k; ++i) {
    sources[i] = rows + static_cast<std::size_t>(row_of_choice[token * top_k + i]) * vectors;
    factors[i] = weights[token * top_k + i];
  }
  for (int column = static_cast<int>(threadIdx.x); column < vectors; column += threads) {
    uint4 loaded[top_k];
#pragma unroll
    for (int i = 0; i < top_k; ++i)
      loaded[i] = __ldg(sources[i] + column);
    Floats total{};
#pragma unroll
    for (int i = 0; i < top_k; ++i) {
      const Floats values = unpack(loaded[i]);
#pragma unroll
      for (int j = 0; j < vector_values; ++j)
        total[j] += factors[i] * values[j];
    }
    sums[token * vectors + column] = pack(total);
  }
}

constexpr std::size_t samples = 64; // tokens whose sums are checked
/// Of the sum of the amounts: half a unit of the 8 significant bits of bf16, 2^-8, and a sixteenth
/// of it for up to 16 roundings to fp32, each 2^-24.
constexpr double sum_tolerance = 0x1.1p-8;

/// The largest error of the sampled tokens' sums, by a reference in double. Their weights are
/// uniform over [weight_min, 1).
inline double sums_error(const Routing& routing, const DeviceBuffer<__nv_bfloat16>& sums,
                         float weight_min) {
  const Sizes& sizes = routing.sizes;
  double error = 0.0;
  for (std::size_t sample = 0; sample < samples; ++sample) {
    const std::size_t token = sample * (sizes.tokens - 1) / (samples - 1);
    const std::vector<__nv_bfloat16> found =
        download_range(sums, token * sizes.hidden, sizes.hidden);
    for (std::size_t column = 0; column < sizes.hidden; ++column) {
      double expected = 0.0;
      double scale = 0.0;
      for (std::size_t i = 0; i < sizes.top_k; ++i) {
        const std::size_t choice = token * sizes.top_k + i;
        const auto row = static_cast<std::size_t>(routing.map.row_of_choice[choice]);
        const double term =
            random_element<float>(weight_seed, choice, weight_min, 1.0f) *
            random_element<__nv_bfloat16>(row_seed, row * sizes.hidden + column, -1.0f, 1.0f);
        expected += term;
        scale += std::fabs(term);
      }
      error = worse(error, relative_error(static_cast<float>(found[column]), expected, scale));
    }
  }
  return error;
}

} // namespace moesim::microbench::permute
