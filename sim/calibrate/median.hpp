#pragma once

#include <algorithm>
#include <vector>

namespace moesim {

/// The middle of some values, or the mean of the two in the middle. There must be at least one.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

} // namespace moesim
