#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/study/dense_twin.hpp"

#include <string>

namespace moesim {

/// A result or a twin's answer as one line of text, for a journal or another process. Numbers read
/// back exactly, to the last bit. Readers throw InternalError for any other text.
std::string result_text(const StepResult& result);
StepResult result_from_text(const std::string& text);
std::string twin_text(const TwinAnswer& answer);
TwinAnswer twin_from_text(const std::string& text);

} // namespace moesim
