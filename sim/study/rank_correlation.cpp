#include "sim/study/rank_correlation.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace moesim {

namespace {

/// The order of two values: -1, 0 (a tie: closer than `scatter` of the larger) or 1.
int order_of(double a, double b, double scatter) {
  if (std::abs(a - b) <= scatter * std::max(std::abs(a), std::abs(b)))
    return 0;
  return a < b ? -1 : 1;
}

} // namespace

std::optional<double> kendall_tau(const std::vector<ValuePair>& pairs, double scatter) {
  constexpr double rounding = 1e-9;
  double agreement = 0.0;
  double told_apart = 0.0;
  for (std::size_t a = 0; a < pairs.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) {
      const int measured = order_of(pairs[a].measured, pairs[b].measured, scatter);
      agreement += measured * order_of(pairs[a].predicted, pairs[b].predicted, rounding);
      told_apart += std::abs(measured);
    }
  if (told_apart == 0.0)
    return std::nullopt;
  return agreement / told_apart;
}

} // namespace moesim
