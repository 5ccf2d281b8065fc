#pragma once

#include "sim/study/simulate.hpp"

#include <string>
#include <vector>

namespace moesim {

/// A result or a twin's answer as one line of text, for a journal or another process. Numbers read
/// back exactly, to the last bit. Readers throw InternalError for any other text.
std::string result_text(const StepResult& result, const std::vector<PlanRank>& best_plans = {});
StepResult result_from_text(const std::string& text);
/// The plans of a result's text; none if it was written without.
std::vector<PlanRank> best_plans_from_text(const std::string& text);
std::string twin_text(const TwinAnswer& answer);
TwinAnswer twin_from_text(const std::string& text);

} // namespace moesim
