#pragma once

#include "sim/study/step_constants.hpp"
#include "sim/study/step_fit.hpp"
#include "sim/study/validation.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace moesim {

/// Slopes of the published steps: by case and constant, the change of the logarithm of its
/// predicted time over the change of the logarithm of the constant.
class StepSlopes {
public:
  /// Reads a table with the column `case` and one for each of the constants, in any order. Throws
  /// InputError if it is malformed or has other constants.
  static StepSlopes read(const std::filesystem::path& file,
                         const std::vector<StepConstant>& constants);
  /// A table as `read` reads it.
  std::string text(const std::vector<StepConstant>& constants) const;

  /// By constant. A case that the table does not have has slopes of 0.
  std::vector<double> of(const std::string& name, std::size_t constants) const;
  void set(const std::string& name, std::vector<double> slopes) {
    slopes_[name] = std::move(slopes);
  }

private:
  std::map<std::string, std::vector<double>> slopes_; ///< by case
};

/// A constant as the published steps have it.
struct FittedConstant {
  StepConstant constant;
  double fitted = 0.0;   ///< with all steps, in the unit of its table
  double least = 0.0;    ///< over the fits that leave out one fold each
  double most = 0.0;     ///< likewise
  std::size_t steps = 0; ///< cases whose time changes by more than 2 % if it changes by 100 %
  std::size_t folds = 0; ///< the sources of these cases
};

/// Predictions of the published steps, each by constants that were fitted without its source.
struct CrossValidation {
  std::vector<ValidationCase> steps; ///< the cases that have a fold, in the order of the file
  std::vector<CaseResult> results;   ///< of the steps
  std::vector<FittedConstant> constants;
};

/// Called with what is being predicted, and how many of all predictions are done.
using CrossProgress = std::function<void(const std::string&, std::size_t, std::size_t)>;

/// The slopes of the cases that have a fold: predicts them all again for each constant, changed by
/// 5 %.
StepSlopes measure_slopes(const std::vector<ValidationCase>& cases,
                          const std::filesystem::path& calibration, std::size_t jobs,
                          const CrossProgress& progress);

/// Fits the constants without each fold, by the slopes, and predicts the fold's steps with them.
/// `present`: a table of predictions by the constants as they are, for `read_predictions`; empty:
/// they are made here. Throws InputError if no case has a fold.
CrossValidation cross_validate(const std::vector<ValidationCase>& cases, const StepSlopes& slopes,
                               const std::filesystem::path& present,
                               const std::filesystem::path& calibration, std::size_t jobs,
                               const CrossProgress& progress);

} // namespace moesim
