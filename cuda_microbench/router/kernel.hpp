#pragma once

#include <cuda_runtime.h>

#include <cstddef>

/// How experts are selected on the device. Only for .cu files.
namespace moesim::microbench::router {

/// Groups of experts as in DeepSeek-V3 (arXiv 2412.19437, section 2.1.2): the experts of a token
/// are in at most `groups_kept` of `groups`, those whose two best experts have the largest sum of
/// scores, with the bias.
constexpr int groups = 8;
constexpr int groups_kept = 4;

constexpr int warp = 32;
constexpr unsigned all_lanes = 0xffffffffu;
constexpr int warps_max = 8;
/// Of a block; a block of one warp has them for 8192 experts, the most that can be routed.
constexpr std::size_t shared_bytes_max = std::size_t{32} << 10;

enum class Scoring { softmax, sigmoid };

/// One case. Sigmoid scores of the chosen experts are divided by their sum, softmax scores are not.
struct Router {
  int tokens = 0;
  int hidden = 0;
  int experts = 0;
  int top_k = 0; ///< at most 32, a lane of the warp for each
  Scoring scoring = Scoring::softmax;
  bool limited_groups = false; ///< needs a number of experts that 32 divides
  bool bias = false; ///< added to the score for the selection only (section 2.1.2); with sigmoid
};

/// An expert and the value that it is selected by.
struct Candidate {
  float value;
  int expert;
};

inline __device__ float warp_sum(float value) {
  for (int offset = warp / 2; offset > 0; offset /= 2)
    value += __shfl_xor_sync(all_lanes, value, offset);
  return value;
}

inline __device__ float warp_max(float value) {
  for (int offset = warp / 2; offset > 0; offset /= 2)
    value = fmaxf(value, __shfl_xor_sync(all_lanes, value, offset));
  return value;
}

/// The best candidate of the warp; of equal values the lower expert.
inline __device__ Candidate warp_best(Candidate own) {
  for (int offset = warp / 2; offset > 0; offset /= 2) {
    const Candidate other{__shfl_xor_sync(all_lanes, own.value, offset),
                          __shfl_xor_sync(all_lanes, own.expert, offset)};
    if (other.value > own.value || (other.value == own.value && other.expert < own.expert))
      own = other;
  }
  return own;
}

/// The best of the experts lane, lane + 32, …; of equal values the lower.
inline __device__ Candidate lane_best(const float* values, int experts, int lane) {
  Candidate best{-INFINITY, experts};
#pragma unroll 4
  for (int expert = lane; expert < experts; expert += warp)
    if (values[expert] > best.value)
      best = {values[expert], expert};
  return best;
}

inline __device__ float sigmoid(float logit) {
  return 1.0f / (1.0f + expf(-logit));
}

/// Puts `score` among the two largest that are known.
inline __device__ void keep_best_two(float score, float& best, float& second) {
  second = fmaxf(second, fminf(best, score));
  best = fmaxf(best, score);
}

/// Takes the experts of all but the best groups out of the selection. Four lanes for each group;
/// each starts at another place of its group, so that they read from different memory banks.
inline __device__ void limit_groups(float* values, int experts, int lane) {
  constexpr int lanes = warp / groups;
  const int group = lane / lanes;
  const int each = experts / warp;
  float best = -INFINITY;
  float second = -INFINITY;
  int step = group % each;
  for (int i = 0; i < each; ++i) {
    keep_best_two(values[group * (experts / groups) + lane % lanes + lanes * step], best, second);
    step = step + 1 == each ? 0 : step + 1;
  }
  for (int offset = 1; offset < lanes; offset *= 2) {
    const float other_best = __shfl_xor_sync(all_lanes, best, offset);
    const float other_second = __shfl_xor_sync(all_lanes, second, offset);
    keep_best_two(other_best, best, second);
    keep_best_two(other_second, best, second);
  }
  const float score = best + second;
  int better = 0;
  for (int other = 0; other < groups; ++other) {
    const float other_score = __shfl_sync(all_lanes, score, other * lanes);
    better += other_score > score || (other_score == score && other < group) ? 1 : 0;
  }
  if (better >= groups_kept)
    for (int i = lane % lanes; i < experts / groups; i += lanes)
      values[group * (experts / groups) + i] = -INFINITY;
  __syncwarp();
}

/// One warp for each token: scores, selection, weights and histogram. The values that the experts
/// are selected by are in shared memory: with softmax the logits, whose order is that of the
/// scores; with sigmoid the scores, and the bias.
static __global__ void score_and_select(Router router, const float* logits, const float* bias,
                                        int* ids, float* weights, int* histogram) {
  extern __shared__ float shared_values[];
  const int lane = static_cast<int>(threadIdx.x) % warp;
  const int warp_in_block = static_cast<int>(threadIdx.x) / warp;
  const int token = static_cast<int>(blockIdx.x * (blockDim.x / warp)) + warp_in_block;
  if (token >= router.tokens)
    return; // the whole warp
  const int experts = router.experts;
  const float* row = logits + static_cast<std::size_t>(token) * experts;
  float* values = shared_values + static_cast<std::size_t>(warp_in_block) * experts;
  const bool is_softmax = router.scoring == Scoring::softmax;
  float largest = -INFINITY;
  for (int expert = lane; expert < experts; expert += warp) {
    const float logit = row[expert];
    largest = fmaxf(largest, logit);
    values[expert] = is_softmax ? logit : sigmoid(logit) + (router.bias ? bias[expert] : 0.0f);
  }
  float sum = 0.0f;
  if (is_softmax) {
    largest = warp_max(largest);
    for (int expert = lane; expert < experts; expert += warp)
      sum += expf(values[expert] - largest);
    sum = warp_sum(sum);
  }
  __syncwarp();
  if (router.limited_groups)
    limit_groups(values, experts, lane);

  int chosen = 0; // lane i keeps the i-th expert
  Candidate own = lane_best(values, experts, lane);
  for (int i = 0; i < router.top_k; ++i) {
    const int expert = min(warp_best(own).expert, experts - 1); // in bounds even of NaN
    if (lane == i)
      chosen = expert;
    if (lane == expert % warp) {
      values[expert] = -INFINITY;
      own = lane_best(values, experts, lane);
    }
  }
  const bool has_choice = lane < router.top_k;
  const float score = is_softmax ? expf(row[chosen] - largest) : sigmoid(row[chosen]);
  const float total = is_softmax ? sum : warp_sum(has_choice ? score : 0.0f);
  if (has_choice) {
    const std::size_t place = static_cast<std::size_t>(token) * router.top_k + lane;
    ids[place] = chosen;
    weights[place] = score / total;
    atomicAdd(&histogram[chosen], 1);
  }
}

} // namespace moesim::microbench::router
