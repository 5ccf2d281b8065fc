#pragma once

#include "sim/study/validation_cases.hpp"

#include <limits>

namespace moesim {

/// What a prediction says of a case.
struct CaseResult {
  std::string status;      ///< ok, outside (its tolerance), illegal, out-of-memory or failed
  std::string reason = ""; ///< why there is no prediction
  double predicted = std::numeric_limits<double>::quiet_NaN();     ///< unit of the quantity
  double error_percent = std::numeric_limits<double>::quiet_NaN(); ///< of predicted over measured
};

/// Compares a prediction with its case.
CaseResult compare(const ValidationCase& found, double predicted);

/// Predicts every case, each in a process of its own, or with those of the same plan, at most
/// `jobs` at a time. Results are in the order of the cases. `calibration` is the folder of measured
/// costs. Throws InputError as load_costs does.
std::vector<CaseResult> predict_cases(const std::vector<ValidationCase>& cases,
                                      const std::filesystem::path& calibration, std::size_t jobs);

} // namespace moesim
