#pragma once

#include "sim/study/validation.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// Errors of training steps of one kind, by distinct plan: cases that measure one plan share its
/// weight. A positive error means that the prediction is too fast.
struct StepStatistics {
  std::string kind; ///< "MoE", "dense", "all", or a fold
  std::size_t cases = 0;
  std::size_t plans = 0;
  std::size_t folds = 0;
  double median_percent = 0.0;        ///< of |error|
  double percentile_90_percent = 0.0; ///< of |error|
  double bias_percent = 0.0;          ///< the median error
  double inside_percent = 0.0;        ///< plans inside their 90 % interval
};

/// By step, whether its measurement is inside its 90 % interval; nothing without a prediction.
using StepsInside = std::vector<std::optional<bool>>;

/// How much faster the prediction is than the measurement, in percent: measured over predicted time
/// less 1. NaN without a prediction.
double too_fast_percent(const ValidationCase& step, double predicted);

/// Statistics of MoE steps, of those over EFA and of the others, of dense steps and of all; kinds
/// without a prediction are left out.
std::vector<StepStatistics> statistics_by_kind(const std::vector<ValidationCase>& steps,
                                               const std::vector<CaseResult>& results,
                                               const StepsInside& inside);
/// The same by fold, in the order in which the cases name them.
std::vector<StepStatistics> statistics_by_fold(const std::vector<ValidationCase>& steps,
                                               const std::vector<CaseResult>& results,
                                               const StepsInside& inside);

/// The smallest of the values that at least `share` of the weight does not exceed. `values` must
/// not be empty: pairs of value and weight.
double weighted_percentile(std::vector<std::pair<double, double>> values, double share);

} // namespace moesim
