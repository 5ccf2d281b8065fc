#include "sim/routing/load_statistics.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moesim {

LoadStatistics load_statistics(std::vector<double> loads) {
  const double sum = std::accumulate(loads.begin(), loads.end(), 0.0);
  INVARIANT(sum > 0.0, "{} loads add up to {}", loads.size(), sum);
  std::sort(loads.begin(), loads.end());
  const auto count = static_cast<double>(loads.size());
  const double mean = sum / count;
  double ranked = 0.0; // the sum of all differences is 2 Σ (2 i + 1 - n) l of sorted loads
  double squares = 0.0;
  for (std::size_t i = 0; i < loads.size(); ++i) {
    ranked += (2.0 * static_cast<double>(i) + 1.0 - count) * loads[i];
    squares += (loads[i] - mean) * (loads[i] - mean);
  }
  return {loads.back() / mean, ranked / (count * sum), std::sqrt(squares / count) / mean};
}

LoadStatistics load_statistics(const std::vector<std::int64_t>& loads) {
  return load_statistics(std::vector<double>(loads.begin(), loads.end()));
}

} // namespace moesim
