#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/study/cost_levers.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace moesim {

/// The effect of one constant on a column.
struct Sensitivity {
  std::string constant;
  std::string provenance;
  double error_percent = 0.0;  ///< at a confidence of 90 %; 10 where none is known
  double low = 0.0;            ///< the column with the constant at the lower end of its error
  double high = 0.0;           ///< likewise at the upper end
  double effect_percent = 0.0; ///< the larger of both changes, over the column as it is
  std::string measurement;     ///< the benchmark that measures the constant
};

/// The effects of all constants of a step on a column.
struct SensitivityTable {
  double base = 0.0;              ///< the column as it is
  std::string plan;               ///< of the step
  std::vector<Sensitivity> rows;  ///< the largest effect first
  std::size_t without_effect = 0; ///< constants whose change leaves the column as it is
};

/// The plan of a step whose constants change.
enum class Replanning {
  keep,  ///< the best plan of the constants as they are
  search ///< the best plan of each change: a search for each end of each constant
};

/// Sees how many constants are done, of how many.
using SensitivityProgress = std::function<void(std::size_t, std::size_t)>;

/// Changes each constant by its own error, in both directions, and replays the step. `levers`:
/// those of the scenario (cost_levers) in the same calibration, or some of them. Throws InputError
/// if the step cannot run, or if it has no number in the column.
SensitivityTable measure_sensitivity(const Scenario& scenario, const ResultColumn& column,
                                     const std::filesystem::path& calibration,
                                     const std::vector<CostLever>& levers, Replanning replanning,
                                     const SensitivityProgress& progress);

} // namespace moesim
