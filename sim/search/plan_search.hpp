#pragma once

#include "sim/search/plan_space.hpp"
#include "sim/search/step_replay.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// The plans among which a search looks for the fastest.
struct PlanProblem {
  Workload base; ///< as PlanSpace's
  PlanChoices choices;
  TopologySpec topology;
  Fidelity fidelity = Fidelity::folded;
};

/// A plan that a search has replayed.
struct FoundPlan {
  Workload workload;
  StepReplay replay;
};

/// The outcome of a search. Every legal plan that fits was either replayed or has a lower bound
/// above the time of the last of `best`.
struct PlanSearch {
  std::int64_t legal = 0;       ///< plans that can run (find_plan_fault)
  std::int64_t fit = 0;         ///< of these, plans that fit into memory
  std::int64_t bounded_out = 0; ///< of these, plans that were not replayed
  std::int64_t replayed = 0;
  /// The fastest plans, fastest first; of equals the one that the space names first. Empty if no
  /// plan fits.
  std::vector<FoundPlan> best;
  /// The least memory that a legal plan needs on its fullest GPU, and that plan; where none fits.
  std::optional<Workload> smallest;
};

/// The `keep` fastest plans of a problem that fit into memory, by branch and bound. Plans are
/// replayed by increasing lower bound until none that is left can be among the fastest: first the
/// bound of the computes of all plans with the same shape and pipeline, then that of each plan with
/// its communications alone on their links. The result is that of replaying every plan.
PlanSearch search_plans(const PlanProblem& problem, const Costs& costs, std::size_t keep);

} // namespace moesim
