#pragma once

#include "sim/cost/step_intervals.hpp"
#include "sim/study/validation.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The interval of the steps that are started in one way, and what it stands on.
struct FittedInterval {
  StepLaunch launch = StepLaunch::by_host;
  StepInterval interval;
  std::size_t steps = 0;
  std::size_t folds = 0;
};

/// Intervals from the residuals of a cross-validation (conformal prediction): of each launch, the
/// two ends that as much of measured over predicted time exceeds. A fold counts as one source,
/// plans share its weight. The share outside is chosen so that nine in ten steps lie inside
/// intervals that were made without their fold.
struct IntervalFit {
  std::array<FittedInterval, enumerator_count<StepLaunch>> intervals;
  double tail_share = 0.0;       ///< beyond each end, of the weight
  double coverage_percent = 0.0; ///< plans inside intervals made without their fold
  /// By step, whether its measurement is inside; nothing without a prediction.
  std::vector<std::optional<bool>> inside;
};

/// Throws InputError if no step has a prediction.
IntervalFit fit_intervals(const std::vector<ValidationCase>& steps,
                          const std::vector<CaseResult>& results);

/// `step_intervals.csv`, as StepIntervals::read reads it.
std::string intervals_csv(const IntervalFit& fit);

/// Share of the plans whose measurement is inside the interval of its prediction, in percent; of
/// steps that have an interval. NaN if there are none.
double inside_percent(const std::vector<ValidationCase>& steps,
                      const std::vector<CaseResult>& results);

} // namespace moesim
