#pragma once

#include "sim/scenario/scenario.hpp"
#include "sim/search/plan_search.hpp"

#include <string>

namespace moesim {

/// The reason why a search has found no plan that can run and fits, and the single changes that
/// nearest to the scenario would give one: another global batch, another number of GPUs, or another
/// value of a key that the scenario fixes.
std::string no_plan_text(const PlanSearch& search, const Scenario& scenario);

} // namespace moesim
