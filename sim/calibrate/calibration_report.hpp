#pragma once

#include "sim/calibrate/constants_fit.hpp"
#include "sim/calibrate/own_tables.hpp"
#include "sim/calibrate/residuals.hpp"
#include "sim/cost/compute_errors.hpp"

#include <map>
#include <string>
#include <vector>

namespace moesim {

/// The errors of a calibration that `moesim calibrate` found.
struct CalibrationFindings {
  std::vector<TableError> tables;
  std::vector<TableComparison> own;
  /// By device, fitted to the files that a user measured.
  std::map<std::string, std::vector<MeasuredConstant>> constants;
  std::vector<NetworkCurve> curves;
  std::vector<GroupResidual> held_out; ///< empty if no network measurement was given
};

/// The text of `REPORT.md`.
std::string calibration_report(const CalibrationFindings& findings);

} // namespace moesim
