#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/search/dense_search.hpp"

#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// A prediction, with what stands beside it on stderr: facts that do not belong into results.csv.
struct Prediction {
  StepResult result;
  double bottleneck_use_percent = no_value; ///< busy share of the step of the bottleneck
  double extrapolated_share = 0.0; ///< of the step time: computes that no measured table covers
  /// "dense_twin_plan" → "tensor 8, …", "operations" → "16464", … in order.
  std::vector<std::pair<std::string, std::string>> diagnostics;
};

/// Whether the dense twins' best plans are searched: many replays.
enum class Twins { search, skip };
/// Whether a result column is a comparison with a twin.
Twins twins_for(const std::string& column);

/// The whole pipeline for one scenario: memory, schedule, replay, metrics, and both dense twins. A
/// plan that does not fit gives the status `out-of-memory`, the amount missing and what would fit.
/// Without the twins their columns are empty.
Prediction simulate(const Scenario& scenario, const Costs& costs,
                    const TimelineObserver& observe = {}, Twins twins = Twins::search);

} // namespace moesim
