#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/search/dense_search.hpp"

#include <string>

namespace moesim {

/// The search for the best plan of a dense twin, reduced to its inputs. Scenarios that differ only
/// in the MoE's own plan, dispatcher or routing have the same problem.
struct TwinProblem {
  /// The model is dense. Settings that no dense plan depends on have their defaults.
  Workload workload;
  TopologySpec topology; ///< without name and places in files
  Fidelity fidelity = Fidelity::folded;
};

/// The problem of the dense twin, and of the dense model of the same active parameters.
TwinProblem dense_twin_problem(const Scenario& scenario);
TwinProblem active_dense_twin_problem(const Scenario& scenario);

/// Every member of a problem as text. Problems with the same text have the same answer under the
/// same measured costs.
std::string key_of(const TwinProblem& problem);

/// The best plan of a dense model.
struct TwinAnswer {
  double step_time_ms = no_value; ///< missing if no plan fits into memory
  std::string plan;               ///< as plan_text, or that no plan fits
  std::string failure = "";       ///< the message of a search that broke: a defect
};

/// Searches the best plan. `topology` is built from the problem's.
TwinAnswer search_twin(const TwinProblem& problem, const Topology& topology, const Costs& costs);

} // namespace moesim
