#pragma once

#include "sim/study/validation.hpp"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// How far off the cases of a tier are; |error| over those that have a prediction.
struct TierStatistics {
  std::string tier;
  std::size_t cases = 0;
  std::size_t outside = 0;                                          ///< with another status than ok
  double median_percent = std::numeric_limits<double>::quiet_NaN(); ///< none without a prediction
  double percentile_90_percent = std::numeric_limits<double>::quiet_NaN(); ///< nearest rank
  TierTolerance tolerance;

  /// Every case is ok, and the median and the 90th percentile are within their tolerances.
  bool passes() const;
};

/// A row for each tier, in the order in which the cases name them.
std::vector<TierStatistics> tier_statistics(const ValidationSet& set,
                                            const std::vector<CaseResult>& results);

/// How well predictions order the cases of one group of a tier: plans of one model on one GPU. One
/// plan that was measured several times, with several releases of a framework, is not ordered.
struct GroupStatistics {
  std::string tier;
  std::string group;
  std::size_t cases = 0; ///< with a prediction
  std::optional<double> kendall_tau;
  std::optional<double> kendall_tau_min; ///< of its tier

  /// The order is good enough, there is none, or nothing is asked of it.
  bool passes() const;
};

/// A row for each group of a tier that has 5 cases or more with a prediction, in the order in which
/// the cases name them.
std::vector<GroupStatistics> group_statistics(const ValidationSet& set,
                                              const std::vector<CaseResult>& results);

} // namespace moesim
