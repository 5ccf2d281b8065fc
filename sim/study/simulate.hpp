#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/study/dense_twin.hpp"

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

/// Whether a step is compared with its dense twins and, where its load is uneven, with an even one.
enum class Twins {
  search, ///< the best plans of both twins are searched: many replays
  later,  ///< the caller has the answers of the search, and calls compare_with_twins
  skip    ///< no comparison: its columns stay empty
};
/// Whether a result column is a comparison with a twin.
Twins twins_for(const std::string& column);

/// The whole pipeline for one scenario: memory, schedule, replay, metrics, and both dense twins. A
/// plan that does not fit gives the status `out-of-memory`, the amount missing and what would fit.
Prediction simulate(const Scenario& scenario, const Costs& costs,
                    const TimelineObserver& observe = {}, Twins twins = Twins::search);

/// Fills the columns that compare an MoE's step with its twins. `result` holds its step time.
void compare_with_twins(const Scenario& scenario, const TwinAnswer& dense,
                        const TwinAnswer& active_dense, StepResult& result);

} // namespace moesim
