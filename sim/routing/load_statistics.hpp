#pragma once

#include <cstdint>
#include <vector>

namespace moesim {

/// Measures of the imbalance of loads, which are tokens of each expert or of each rank. No load is
/// negative, and their sum is positive.
struct LoadStatistics {
  double max_over_mean = 1.0; ///< 1: all loads are equal
  /// Gini coefficient: Σᵢ Σⱼ |lᵢ − lⱼ| / (2 n Σ l), 0 (all equal) to (n − 1) / n (C. Gini, 1912).
  double gini = 0.0;
  double coefficient_of_variation = 0.0; ///< standard deviation of the loads over their mean
};

LoadStatistics load_statistics(std::vector<double> loads);
LoadStatistics load_statistics(const std::vector<std::int64_t>& loads);

} // namespace moesim
