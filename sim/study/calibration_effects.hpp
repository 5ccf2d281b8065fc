#pragma once

#include "sim/calibrate/make_calibration.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// A training step that shows what measurements change.
struct ShippedStep {
  std::string name; ///< for people: "Mixtral-8x7B"
  std::filesystem::path scenario;
  std::vector<std::string> settings; ///< as --set
};

/// The change of a step by the measurements of one file, without the others.
struct CalibrationEffect {
  std::string file; ///< "gemm.csv"; "all" for all files together
  std::string step;
  double before_ms = 0.0; ///< with the costs that were known
  double after_ms = 0.0;
};

/// The steps with the costs of `known`, then with those that `inputs` change, file by file and
/// together. Throws the errors of make_calibration and of simulate.
std::vector<CalibrationEffect> calibration_effects(const std::filesystem::path& known,
                                                   const CalibrationInputs& inputs,
                                                   const std::vector<ShippedStep>& steps);

} // namespace moesim
