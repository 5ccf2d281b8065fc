#pragma once

#include "cuda_microbench/core/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace moesim::microbench {

/// Whole tokens in proportion to `weights`, which are positive: rounded down, and one more for
/// those that lost most by it (the earlier of equals), so that the sum is `tokens`.
inline std::vector<std::int64_t> share_tokens(const std::vector<double>& weights,
                                              std::int64_t tokens) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::int64_t> shares;
  std::vector<double> lost;
  for (const double weight : weights) {
    const double exact = static_cast<double>(tokens) * weight / total;
    shares.push_back(static_cast<std::int64_t>(std::floor(exact)));
    lost.push_back(exact - std::floor(exact));
  }
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lost[a] > lost[b]; });
  const std::int64_t rest = tokens - std::accumulate(shares.begin(), shares.end(), std::int64_t{0});
  for (std::int64_t i = 0; i < rest; ++i)
    ++shares[order[static_cast<std::size_t>(i)]];
  return shares;
}

/// Tokens that the 64 experts of layer 12 of DeepSeek-V2-Lite received of 33 texts of law, counted
/// in deepseek-ai/ESFT:results/expert_scores/law/expert_weights_12.txt@579a7711e. Of the model's 26
/// layers the one of median skew: the busiest expert has 3.4 times the mean.
constexpr int traced_tokens[] = {
    780,  634, 522, 1045, 947, 390,  719,  888, 1244, 394,  301, 1313, 1317, 336, 2610, 448,
    349,  393, 478, 2647, 665, 1177, 1166, 798, 106,  1156, 185, 1247, 1442, 684, 343,  756,
    650,  489, 431, 1195, 142, 1158, 710,  364, 233,  712,  765, 957,  473,  797, 1636, 393,
    1002, 435, 630, 811,  992, 233,  1639, 188, 860,  856,  367, 1091, 664,  540, 722,  347};

/// Tokens of each of `groups` groups (at least 1); their sum is `tokens`. zipf: in proportion to
/// 1, 1/2, 1/3 … in an order that is shuffled, always the same for the same number of groups.
/// trace: as the first of the traced experts; there are at most 64 groups then.
inline std::vector<std::int64_t> tokens_of_groups(Distribution distribution, std::int64_t groups,
                                                  std::int64_t tokens) {
  std::vector<double> weights;
  if (distribution == Distribution::trace) {
    weights.assign(std::begin(traced_tokens), std::begin(traced_tokens) + groups);
    return share_tokens(weights, tokens);
  }
  for (std::int64_t rank = 1; rank <= groups; ++rank)
    weights.push_back(distribution == Distribution::zipf ? 1.0 / static_cast<double>(rank) : 1.0);
  std::vector<std::int64_t> shares = share_tokens(weights, tokens);
  if (distribution == Distribution::equal)
    return shares;
  std::mt19937_64 random(static_cast<std::uint64_t>(groups));
  for (std::size_t last = shares.size() - 1; last > 0; --last) // std::shuffle may differ elsewhere
    std::swap(shares[last], shares[random() % (last + 1)]);
  return shares;
}

} // namespace moesim::microbench
