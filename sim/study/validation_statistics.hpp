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

/// A plan among those that it is compared with. Ranks count from 1, the fastest; plans that are
/// equally fast have the same.
struct RankedPlan {
  std::string name;       ///< of its first case
  double measured = 0.0;  ///< tokens/s/GPU, the mean of its measurements
  double predicted = 0.0; ///< tokens/s/GPU
  std::size_t measured_rank = 0;
  std::size_t predicted_rank = 0;
};

/// The order of the plans of a comparison, as measured and as predicted.
struct PlanOrder {
  std::string comparison;
  std::vector<RankedPlan> plans;     ///< those with a prediction, in the order of the cases
  std::optional<double> kendall_tau; ///< as of a group

  /// The predicted rank of the plan that was measured to be the fastest, of several the best rank.
  std::size_t predicted_rank_of_best() const;
};

/// The order of each comparison of 3 plans or more, in the order in which the cases name them.
std::vector<PlanOrder> plan_orders(const ValidationSet& set,
                                   const std::vector<CaseResult>& results);

} // namespace moesim
