#pragma once

#include <limits>
#include <string>
#include <vector>

namespace moesim {

/// A published step as the fit of constants sees it: the logarithm of its predicted over its
/// measured time is linear in the logarithms of the constants' factors.
struct LinearStep {
  std::string fold;           ///< its source: publisher, framework generation and cluster
  std::string plan;           ///< cases of one plan count as one
  double log_error = 0.0;     ///< at the present constants: positive if the prediction is too slow
  std::vector<double> slopes; ///< by constant: change of log_error over change of log factor

  /// log_error at other constants.
  double log_error_at(const std::vector<double>& log_factors) const;
};

/// A constant's log factor without any step: normal around `centre` with this standard deviation.
struct FactorPrior {
  double centre = 0.0;
  double spread = 0.1;
  double most = std::numeric_limits<double>::infinity(); ///< the largest that makes sense
};

/// The log factors that bring the predictions nearest to the measurements, by Huber's loss: square
/// up to an error of 2 %, linear beyond, so that a step that nothing explains does not decide. Each
/// fold counts as one source, whatever the number of its plans. Steps of `left_out` do not count.
std::vector<double> fit_log_factors(const std::vector<LinearStep>& steps,
                                    const std::vector<FactorPrior>& priors,
                                    const std::string& left_out = "");

} // namespace moesim
