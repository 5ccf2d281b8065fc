#include "sim/study/rank_correlation.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace moesim {

namespace {

/// -1, 0 (a tie) or 1.
int order_of(double a, double b) {
  if (std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b)))
    return 0;
  return a < b ? -1 : 1;
}

} // namespace

std::optional<double> kendall_tau(const std::vector<ValuePair>& pairs) {
  double agreement = 0.0;
  double first_untied = 0.0;
  double second_untied = 0.0;
  for (std::size_t a = 0; a < pairs.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) {
      if (!pairs[a].kind.empty() && pairs[a].kind == pairs[b].kind)
        continue;
      const int first = order_of(pairs[a].first, pairs[b].first);
      const int second = order_of(pairs[a].second, pairs[b].second);
      agreement += first * second;
      first_untied += first * first;
      second_untied += second * second;
    }
  if (first_untied == 0.0 && second_untied == 0.0)
    return std::nullopt;
  if (first_untied == 0.0 || second_untied == 0.0)
    return 0.0;
  return agreement / std::sqrt(first_untied * second_untied);
}

} // namespace moesim
