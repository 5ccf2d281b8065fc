#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/search/plan_search.hpp"

#include <string>

namespace moesim {

/// Whether a model is compared with dense twins: it has routed experts. One whose only expert makes
/// its layers dense has none to route to, and pays no tax.
bool has_twins(const ModelSpec& model);

/// The problems of the dense twin and of the dense model of the same active parameters: the space
/// of the scenario's own search; where its plan is fixed, all tensor and pipeline degrees under
/// 1F1B, with and without full recompute. Scenarios that differ only in the MoE's own plan,
/// dispatcher or routing have the same problem: settings that no dense plan depends on have their
/// defaults, and the topology has no name and no places in files.
PlanProblem dense_twin_problem(const Scenario& scenario);
PlanProblem active_dense_twin_problem(const Scenario& scenario);

/// Every member of a problem as text. Problems with the same text have the same answer under the
/// same measured costs.
std::string key_of(const PlanProblem& problem);

/// The best plan of a dense model.
struct TwinAnswer {
  double step_time_ms = no_value; ///< missing if no plan fits into memory
  Waterfall waterfall;            ///< of that step
  std::string plan;               ///< as plan_settings, or that no plan fits
  std::string failure = "";       ///< the message of a search that broke: a defect
};

/// Searches the best plan.
TwinAnswer search_twin(const PlanProblem& problem, const Costs& costs);

} // namespace moesim
