#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/study/cost_library.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// How much of an answer to compute.
enum class LiveDepth : std::uint8_t {
  step,   ///< the step alone: milliseconds
  savings ///< compared with the dense twins, whose plans are searched
};

/// Answers questions about one scenario. Each is replayed in a process of its own: one that dies
/// takes no other with it.
class LiveAnswers {
public:
  /// Reads the scenario's costs, once for all questions. Throws the errors of read_scenario.
  LiveAnswers(std::filesystem::path scenario, const std::filesystem::path& calibration);

  /// The result under the settings as JSON: `status`, `reason` and `hint`, `result` with the text
  /// of each column, and `meanings` of the columns.
  std::string answer(const std::vector<TomlSetting>& settings, LiveDepth depth);

  /// The keys that the page has a control for, with the values of the file, as JSON.
  const std::string& controls() const { return controls_; }

private:
  std::string answer_here(const std::vector<TomlSetting>& settings, LiveDepth depth);

  std::filesystem::path scenario_;
  CostLibrary costs_;
  std::string controls_;
};

} // namespace moesim
