#pragma once

#include "sim/base/scratch_folder.hpp"

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace moesim {

/// A constant that is fitted to published training steps: one number of a calibration table, or
/// several that change by the same factor.
struct StepConstant {
  std::string name;              ///< "host_operator_time", "sustained_throughput h100"
  std::string file;              ///< the table, relative to the calibration folder
  std::vector<std::string> rows; ///< the first cells of its rows
  std::string column;            ///< the column of the number
  double value = 0.0;            ///< of the first row today, in the unit of the table
  double prior = 0.0;            ///< its value if no step were known, in the same unit
  double prior_spread = 0.0;     ///< standard deviation of its logarithm around the prior
  double most = std::numeric_limits<double>::infinity(); ///< the largest value that makes sense
};

/// Reads `step_constants.csv` of a calibration folder (constant, file, rows, column, prior,
/// prior_percent, most, why) and the present values. No such file: no constants. Throws InputError
/// for a malformed file and for a row or a column that its table does not have.
std::vector<StepConstant> read_step_constants(const std::filesystem::path& calibration);

/// A calibration folder in which constants have other values. It is a temporary folder that refers
/// to the original, and is removed at the end of its life.
class ChangedCalibration {
public:
  /// `factors`: of each constant, the factor of its present value. Throws InputError if the folder
  /// cannot be written.
  ChangedCalibration(const std::filesystem::path& calibration,
                     const std::vector<StepConstant>& constants,
                     const std::vector<double>& factors);

  const std::filesystem::path& path() const { return folder_.path(); }

private:
  ScratchFolder folder_;
};

} // namespace moesim
