#pragma once

#include "cuda_microbench/harness/reference.hpp"
#include "cuda_microbench/router/kernel.hpp"

#include <cuda_bf16.h>

#include <vector>

/// The gradient of the selection: from that of the chosen experts' weights to that of the logits.
/// Only for .cu files.
namespace moesim::microbench::router {

constexpr std::uint64_t gradient_seed = 6;

/// The operands of the gradient, of each token's choices.
struct ChoiceGradient {
  const float* logits;
  const int* ids;
  const float* weights;
  const float* weight_gradients;
  __nv_bfloat16* logit_gradients; ///< tokens x experts
};

/// One warp for each token. Softmax, s of all experts: dlogit_j = s_j ([j is chosen] g_j - sum of
/// g s over the chosen). Sigmoid, w = s / S over the chosen: dlogit_i = (g_i - sum of g w) w_i
/// (1 - s_i), and 0 of the others.
static __global__ void select_backward(Router router, ChoiceGradient g) {
  const int lane = static_cast<int>(threadIdx.x) % warp;
  const int token = static_cast<int>(blockIdx.x * (blockDim.x / warp) + threadIdx.x / warp);
  if (token >= router.tokens)
    return; // the whole warp
  const float* row = g.logits + static_cast<std::size_t>(token) * router.experts;
  __nv_bfloat16* out = g.logit_gradients + static_cast<std::size_t>(token) * router.experts;
  const bool has_choice = lane < router.top_k;
  const std::size_t place = static_cast<std::size_t>(token) * router.top_k + lane;
  const int chosen = has_choice ? g.ids[place] : -1;
  const float weight = has_choice ? g.weights[place] : 0.0f;
  const float gradient = has_choice ? g.weight_gradients[place] : 0.0f;
  const float common = warp_sum(weight * gradient);
  const bool is_softmax = router.scoring == Scoring::softmax;
  float largest = -INFINITY;
  float sum = 0.0f;
  if (is_softmax) {
    for (int expert = lane; expert < router.experts; expert += warp)
      largest = fmaxf(largest, row[expert]);
    largest = warp_max(largest);
    for (int expert = lane; expert < router.experts; expert += warp)
      sum += expf(row[expert] - largest);
    sum = warp_sum(sum);
  }
  for (int expert = lane; expert < router.experts; expert += warp)
    out[expert] = __float2bfloat16(is_softmax ? -expf(row[expert] - largest) / sum * common : 0.0f);
  __syncwarp();
  if (has_choice)
    out[chosen] = __float2bfloat16(weight * (gradient - common) *
                                   (is_softmax ? 1.0f : 1.0f - sigmoid(row[chosen])));
}

/// The gradients of a token's logits, in double, from its logits and choices as the device has
/// them.
inline std::vector<double> expected_logit_gradients(const Router& router,
                                                    const std::vector<float>& logits,
                                                    const std::vector<int>& ids,
                                                    std::size_t first_choice) {
  const bool is_softmax = router.scoring == Scoring::softmax;
  double largest = logits.front();
  for (const float logit : logits)
    largest = std::fmax(largest, logit);
  std::vector<double> scores;
  double total = 0.0;
  for (const double logit : logits) {
    scores.push_back(is_softmax ? std::exp(logit - largest) : 1.0 / (1.0 + std::exp(-logit)));
    total += is_softmax ? scores.back() : 0.0;
  }
  if (!is_softmax)
    for (const int expert : ids)
      total += scores[static_cast<std::size_t>(expert)];
  const auto gradient_of = [&](std::size_t choice) {
    return random_element<float>(gradient_seed, first_choice + choice, -1.0f, 1.0f);
  };
  double common = 0.0;
  for (std::size_t choice = 0; choice < ids.size(); ++choice)
    common += gradient_of(choice) * scores[static_cast<std::size_t>(ids[choice])] / total;
  std::vector<double> gradients;
  for (const double score : scores)
    gradients.push_back(is_softmax ? -score / total * common : 0.0);
  for (std::size_t choice = 0; choice < ids.size(); ++choice) {
    const auto expert = static_cast<std::size_t>(ids[choice]);
    const double slope = is_softmax ? 1.0 : 1.0 - scores[expert];
    gradients[expert] = scores[expert] / total * (gradient_of(choice) - common) * slope;
  }
  return gradients;
}

} // namespace moesim::microbench::router
