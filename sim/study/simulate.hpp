#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/study/dense_twin.hpp"

#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// A plan of a search.
struct PlanRank {
  double step_time_ms = 0.0;
  std::string plan; ///< as plan_settings
};

/// The name of diagnostics that a person should see in any format.
inline constexpr const char* warning_name = "warning";

/// A prediction, with what stands beside it on stderr: facts that do not belong into results.csv.
struct Prediction {
  StepResult result;
  double bottleneck_use_percent = no_value; ///< busy share of the step of the bottleneck
  double extrapolated_share = 0.0; ///< of the step time: computes that no measured table covers
  /// The fastest plans of a search, fastest first; empty for a fixed plan.
  std::vector<PlanRank> best_plans = {};
  /// "dense_twin_plan" → "tensor 8, …", "operations" → "16464", warning_name → …, in order.
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

/// Plans that a search keeps for people.
constexpr std::size_t plans_shown = 10;

/// The whole pipeline for one scenario: memory, schedule, replay, metrics, and both dense twins; of
/// a scenario with a search, under the fastest plan. A plan that does not fit gives the status
/// `out-of-memory`, the amount missing and what would fit; a search without a plan that can run
/// gives `illegal`. `plans`: how many plans a search keeps.
Prediction simulate(const Scenario& scenario, const Costs& costs,
                    const TimelineObserver& observe = {}, Twins twins = Twins::search,
                    std::size_t plans = plans_shown);

/// The workload of a scenario under the plan of its result, where that was searched for.
Workload workload_under(const Scenario& scenario, const std::string& plan);
/// The scenario with that plan in place of its search.
Scenario with_plan(const Scenario& scenario, const std::string& plan);

/// The scenario with the fastest plan in place of its search. Throws InputError if no plan fits.
Scenario under_best_plan(const Scenario& scenario, const Costs& costs);

/// Fills the columns that compare an MoE's step with its twins. `result` holds its step time.
void compare_with_twins(const Scenario& scenario, const TwinAnswer& dense,
                        const TwinAnswer& active_dense, StepResult& result);

} // namespace moesim
