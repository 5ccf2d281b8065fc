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

/// How well predictions order the plans of one group of a tier: of one model on one GPU. A plan
/// that was measured several times, with several releases of a framework, counts once, with the
/// mean of its measurements. Plans closer than 1 % are not told apart: measurements of one plan in
/// one release differ by up to 1.6 % (Megatron-Bridge 26.04.01 in two editions of its summary).
struct GroupStatistics {
  std::string tier;
  std::string group;
  std::size_t cases = 0; ///< with a prediction
  std::size_t plans = 0; ///< of these
  std::optional<double> kendall_tau;
  std::optional<double> kendall_tau_min; ///< of its tier

  /// Of fewer than 5 plans one pair would decide: nothing is asked of their order.
  bool is_judged() const;
  /// The order is good enough, there is none, or nothing is asked of it.
  bool passes() const;
};

/// A row for each group of a tier that has 5 cases or more with a prediction, in the order in which
/// the cases name them.
std::vector<GroupStatistics> group_statistics(const ValidationSet& set,
                                              const std::vector<CaseResult>& results);

} // namespace moesim
