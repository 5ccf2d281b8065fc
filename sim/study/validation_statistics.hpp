#pragma once

#include "sim/study/validation.hpp"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// Errors of the cases of a tier: |error| over those that have a prediction.
struct TierStatistics {
  std::string tier;
  std::size_t cases = 0;
  std::size_t outside = 0;                                          ///< cases whose status is not
                                                                    ///< ok
  double median_percent = std::numeric_limits<double>::quiet_NaN(); ///< NaN without a prediction
  double percentile_90_percent = std::numeric_limits<double>::quiet_NaN(); ///< nearest rank
  TierTolerance tolerance;

  /// Whether every case is ok, and the median and the 90th percentile are within their tolerances.
  bool passes() const;
};

/// A row for each tier, in the order in which the cases name them.
std::vector<TierStatistics> tier_statistics(const ValidationSet& set,
                                            const std::vector<CaseResult>& results);

/// Agreement of the order of predictions with that of measurements, over the plans of one group of
/// a tier: one model on one GPU. A plan that was measured several times, with several releases of a
/// framework, counts once, with the mean of its measurements. Plans closer than 1 % have no order:
/// measurements of one plan in one release differ by up to 1.6 % (Megatron-Bridge 26.04.01 in two
/// editions of its summary).
struct GroupStatistics {
  std::string tier;
  std::string group;
  std::size_t cases = 0; ///< cases with a prediction
  std::size_t plans = 0; ///< distinct plans of these cases
  std::optional<double> kendall_tau;
  std::optional<double> kendall_tau_min; ///< bound of its tier

  /// Whether the order is checked: not with fewer than 5 plans, where one pair would decide.
  bool is_judged() const;
  /// True if the order is within the bound, undefined or not checked.
  bool passes() const;
};

/// A row for each group of a tier that has 5 cases or more with a prediction, in the order in which
/// the cases name them.
std::vector<GroupStatistics> group_statistics(const ValidationSet& set,
                                              const std::vector<CaseResult>& results);

} // namespace moesim
