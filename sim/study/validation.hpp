#pragma once

#include "sim/study/validation_cases.hpp"

#include <limits>
#include <optional>

namespace moesim {

/// The 90 % interval of a prediction.
struct CaseInterval {
  double low = 0.0;                ///< in the unit of the quantity
  double high = 0.0;               ///< likewise
  double cost_error_percent = 0.0; ///< StepResult::cost_error_percent
};

/// The prediction of a case.
struct CaseResult {
  std::string status; ///< ok, outside (its tolerance), illegal, unreadable, out-of-memory or failed
  std::string reason = ""; ///< the reason why there is no prediction
  double predicted = std::numeric_limits<double>::quiet_NaN();     ///< in the unit of the quantity
  double error_percent = std::numeric_limits<double>::quiet_NaN(); ///< error of predicted over
                                                                   ///< measured
  std::optional<CaseInterval> interval = {}; ///< of a step's time or throughput
};

/// Compares a prediction with its case.
CaseResult compare(const ValidationCase& found, double predicted);

/// Predicts every case. Cases of the same plan share a child process; at most `jobs` run at a time.
/// Results are in the order of the cases. `calibration` is the folder of measured costs. Throws the
/// errors of load_costs.
std::vector<CaseResult> predict_cases(const std::vector<ValidationCase>& cases,
                                      const std::filesystem::path& calibration, std::size_t jobs);

/// The predictions of cases in a table that `validate --format csv` printed; NaN where it has none.
/// Throws InputError if the table is malformed or lacks a case.
std::vector<double> read_predictions(const std::filesystem::path& file,
                                     const std::vector<ValidationCase>& cases);

} // namespace moesim
