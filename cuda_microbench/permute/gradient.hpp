#pragma once

#include "cuda_microbench/permute/sums.hpp"

/// The gradient of the weighted sums. Only for .cu files.
namespace moesim::microbench::permute {

constexpr std::uint64_t gradient_seed = 5;

/// The operands and results of the gradient of unpermute, where a row is that of a token's choice.
struct SumGradient {
  const uint4* sum_gradients; ///< of the tokens
  const uint4* rows;          ///< as the forward pass had them
  const int* row_of_choice;
  const float* weights;    ///< of the choices
  uint4* row_gradients;    ///< weight times the token's gradient
  float* weight_gradients; ///< of the choices: the token's gradient times the row
  std::size_t choices;
  int top_k;
  int vectors; ///< of a row
};

/// One warp for each choice.
static __global__ void sum_rows_backward(SumGradient g) {
  const std::size_t choice =
      static_cast<std::size_t>(blockIdx.x) * (threads / warp) + threadIdx.x / warp;
  if (choice >= g.choices)
    return; // the whole warp
  const auto row = static_cast<std::size_t>(g.row_of_choice[choice]);
  const float weight = g.weights[choice];
  const uint4* gradients = g.sum_gradients + choice / g.top_k * g.vectors;
  float product = 0.0f;
  for (int i = static_cast<int>(threadIdx.x % warp); i < g.vectors; i += warp) {
    const Floats x = unpack(__ldg(g.rows + row * g.vectors + i));
    Floats gradient = unpack(__ldg(gradients + i));
#pragma unroll
    for (int j = 0; j < vector_values; ++j) {
      product += gradient[j] * x[j];
      gradient[j] *= weight;
    }
    g.row_gradients[row * g.vectors + i] = pack(gradient);
  }
  for (int offset = warp / 2; offset > 0; offset /= 2)
    product += __shfl_xor_sync(0xffffffffu, product, offset);
  if (threadIdx.x % warp == 0)
    g.weight_gradients[choice] = product;
}

struct GradientErrors {
  double rows = 0.0;    ///< relative, of gradients in bf16
  double weights = 0.0; ///< of fp32 sums, relative to the sum of their amounts
};

/// A sum of `hidden` products in fp32, a lane's in a row: some 300 roundings of 2^-24.
constexpr double weight_gradient_tolerance = 2e-5;

/// The largest errors of sampled choices, by a reference in double.
inline GradientErrors gradient_errors(const Routing& routing,
                                      const DeviceBuffer<__nv_bfloat16>& row_gradients,
                                      const DeviceBuffer<float>& weight_gradients) {
  const Sizes& sizes = routing.sizes;
  const std::vector<float> found_weights = weight_gradients.download();
  GradientErrors errors;
  for (std::size_t sample = 0; sample < samples; ++sample) {
    const std::size_t choice = sample * (sizes.rows() - 1) / (samples - 1);
    const auto row = static_cast<std::size_t>(routing.map.row_of_choice[choice]);
    const std::size_t token = choice / sizes.top_k;
    const double weight = random_element<float>(weight_seed, choice, 0.0f, 1.0f);
    const std::vector<__nv_bfloat16> found =
        download_range(row_gradients, row * sizes.hidden, sizes.hidden);
    double sum = 0.0;
    double scale = 0.0;
    for (std::size_t column = 0; column < sizes.hidden; ++column) {
      const double gradient =
          random_element<__nv_bfloat16>(gradient_seed, token * sizes.hidden + column, -1.0f, 1.0f);
      const double term = gradient * random_element<__nv_bfloat16>(
                                         row_seed, row * sizes.hidden + column, -1.0f, 1.0f);
      sum += term;
      scale += std::fabs(term);
      errors.rows = worse(errors.rows, relative_error(static_cast<float>(found[column]),
                                                      weight * gradient, weight * gradient));
    }
    errors.weights = worse(errors.weights, relative_error(found_weights[choice], sum, scale));
  }
  return errors;
}

} // namespace moesim::microbench::permute
