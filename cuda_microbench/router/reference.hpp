#pragma once

#include "cuda_microbench/router/kernel.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

/// How experts are selected in double, on the host: what the device's choices are compared with.
namespace moesim::microbench::router {

/// The right experts of a token, in their order, with weights; and by how much the first that was
/// not selected, expert or group, is behind the last that was.
struct Expected {
  std::vector<int> ids;
  std::vector<double> weights;
  double margin = std::numeric_limits<double>::infinity();
};

/// Keeps the `count` of `candidates` with the largest values, best first, of equal values the
/// lower; `margin` becomes smaller if this is decided by less.
inline void keep_largest(std::vector<int>& candidates, const std::vector<double>& values,
                         std::size_t count, double& margin) {
  std::stable_sort(candidates.begin(), candidates.end(), [&](int a, int b) {
    return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
  });
  if (candidates.size() > count)
    margin = std::min(margin, values[static_cast<std::size_t>(candidates[count - 1])] -
                                  values[static_cast<std::size_t>(candidates[count])]);
  candidates.resize(std::min(count, candidates.size()));
}

/// The experts of the best groups, in the order of their numbers.
inline std::vector<int> allowed_experts(const std::vector<double>& values, double& margin) {
  const std::size_t each = values.size() / groups;
  std::vector<double> scores;
  for (std::size_t group = 0; group < groups; ++group) {
    std::vector<double> members(values.begin() + static_cast<std::ptrdiff_t>(group * each),
                                values.begin() + static_cast<std::ptrdiff_t>((group + 1) * each));
    std::sort(members.begin(), members.end(), std::greater<>());
    scores.push_back(members[0] + members[1]);
  }
  std::vector<int> kept(groups);
  std::iota(kept.begin(), kept.end(), 0);
  keep_largest(kept, scores, groups_kept, margin);
  std::sort(kept.begin(), kept.end());
  std::vector<int> experts;
  for (const int group : kept)
    for (std::size_t i = 0; i < each; ++i)
      experts.push_back(static_cast<int>(static_cast<std::size_t>(group) * each + i));
  return experts;
}

/// The reference, from a token's logits as the device computed them and the bias of each expert.
inline Expected expected_choice(const Router& router, const std::vector<float>& logits,
                                const std::vector<float>& bias) {
  const bool is_softmax = router.scoring == Scoring::softmax;
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> scores;
  std::vector<double> values;
  double total = 0.0;
  for (std::size_t expert = 0; expert < logits.size(); ++expert) {
    const double logit = logits[expert];
    scores.push_back(is_softmax ? std::exp(logit - largest) : 1.0 / (1.0 + std::exp(-logit)));
    values.push_back(is_softmax ? logit : scores.back() + (router.bias ? bias[expert] : 0.0));
    total += scores.back();
  }
  Expected expected;
  expected.ids.resize(values.size());
  std::iota(expected.ids.begin(), expected.ids.end(), 0);
  if (router.limited_groups)
    expected.ids = allowed_experts(values, expected.margin);
  keep_largest(expected.ids, values, static_cast<std::size_t>(router.top_k), expected.margin);
  if (!is_softmax) {
    total = 0.0;
    for (const int expert : expected.ids)
      total += scores[static_cast<std::size_t>(expert)];
  }
  for (const int expert : expected.ids)
    expected.weights.push_back(scores[static_cast<std::size_t>(expert)] / total);
  return expected;
}

} // namespace moesim::microbench::router
