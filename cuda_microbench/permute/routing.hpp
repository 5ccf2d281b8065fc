#pragma once

#include "cuda_microbench/harness/reference.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

/// Which expert's rows a token's choices are. Only for .cu files.
namespace moesim::microbench::permute {

constexpr std::uint64_t routing_seed = 1;
constexpr std::uint64_t row_seed = 2;
constexpr std::uint64_t weight_seed = 4;
constexpr unsigned warp = 32;
constexpr unsigned threads = 128; // of every block

struct Sizes {
  std::size_t tokens = 0;
  std::size_t hidden = 0; ///< a multiple of 512: also the scales of a row are whole vectors
  std::size_t experts = 0;
  std::size_t top_k = 0;

  std::size_t rows() const { return tokens * top_k; }
};

/// Where the rows are: expert by expert, within an expert in the order of the tokens.
struct RowMap {
  std::vector<int> token_of_row;
  std::vector<int> row_of_choice; ///< of the choice token * top_k + i
};

/// `top_k` different experts of each token: the first of a shuffle of all experts.
inline std::vector<int> random_experts(const Sizes& sizes) {
  std::vector<int> shuffled(sizes.experts);
  std::iota(shuffled.begin(), shuffled.end(), 0);
  std::vector<int> experts;
  for (std::size_t choice = 0; choice < sizes.rows(); ++choice) {
    const std::size_t i = choice % sizes.top_k;
    const std::size_t other = i + hash_counter(routing_seed, choice) % (sizes.experts - i);
    std::swap(shuffled[i], shuffled[other]);
    experts.push_back(shuffled[i]);
  }
  return experts;
}

/// Counting sort of the choices by expert.
inline RowMap sort_by_expert(const Sizes& sizes, const std::vector<int>& experts) {
  std::vector<int> next(sizes.experts + 1, 0); // the next free row of each expert
  for (const int expert : experts)
    ++next[static_cast<std::size_t>(expert) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  RowMap map{std::vector<int>(sizes.rows()), std::vector<int>(sizes.rows())};
  for (std::size_t choice = 0; choice < experts.size(); ++choice) {
    const int row = next[static_cast<std::size_t>(experts[choice])]++;
    map.token_of_row[static_cast<std::size_t>(row)] = static_cast<int>(choice / sizes.top_k);
    map.row_of_choice[choice] = row;
  }
  return map;
}

/// Choices whose row is not among those of their expert, or has another token.
inline double map_error(const Sizes& sizes, const std::vector<int>& experts, const RowMap& map) {
  std::vector<std::size_t> ends(sizes.experts, 0);
  for (const int expert : experts)
    ++ends[static_cast<std::size_t>(expert)];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  double wrong = 0.0;
  for (std::size_t choice = 0; choice < experts.size(); ++choice) {
    const auto expert = static_cast<std::size_t>(experts[choice]);
    const auto row = static_cast<std::size_t>(map.row_of_choice[choice]);
    const std::size_t begin = expert == 0 ? 0 : ends[expert - 1];
    const bool is_right = row >= begin && row < ends[expert] &&
                          map.token_of_row[row] == static_cast<int>(choice / sizes.top_k);
    wrong += is_right ? 0.0 : 1.0;
  }
  return wrong;
}

/// Routing of one shape, on host and device.
struct Routing {
  explicit Routing(const Sizes& shape)
      : sizes(shape), experts(random_experts(shape)), map(sort_by_expert(shape, experts)),
        token_of_row(map.token_of_row), row_of_choice(map.row_of_choice) {}
  Sizes sizes;
  std::vector<int> experts;
  RowMap map;
  DeviceBuffer<int> token_of_row;
  DeviceBuffer<int> row_of_choice;
};

} // namespace moesim::microbench::permute
