#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace moesim {

/// The middle value, or the mean of the two in the middle; `values` must not be empty.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

/// Nearest-rank percentile: the smallest value that at least `share` (0 to 1) of the values do not
/// exceed; `values` must not be empty.
inline double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(1.0, rank)) - 1];
}

} // namespace moesim
