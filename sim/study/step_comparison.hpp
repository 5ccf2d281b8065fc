#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/study/input_differences.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// A part of the step time of two steps.
struct PartDifference {
  std::string part; ///< a column of the waterfall without its unit: "ep_exposed"
  double a_ms = 0.0;
  double b_ms = 0.0;

  double difference_ms() const { return b_ms - a_ms; }
};

/// The waterfalls of two steps, computes by part of the model: attention, router, permute, expert,
/// shared_expert, dense, head, beside_communication (compute_ms less the times of its kernels
/// alone), ep_exposed, pp_bubble, tp_exposed, dp_exposed, optimizer, other. The times of each step
/// add up to its step_time_ms.
std::vector<PartDifference> part_differences(const StepResult& a, const StepResult& b);

/// Two steps, side by side.
struct StepComparison {
  /// The inputs that differ. Left out: those that one step does not write, where the value that the
  /// other writes changes no number of it.
  std::vector<InputDifference> inputs;
  std::vector<PartDifference> parts;
  StepResult a;
  StepResult b;
};

/// Replays the step of two scenarios under the same settings, one with a search under its best
/// plan. Throws InputError, with the reason, if a step cannot run, beside the errors of
/// read_scenario and simulate.
StepComparison compare_steps(const std::filesystem::path& a, const std::filesystem::path& b,
                             const std::vector<std::string>& settings,
                             const std::filesystem::path& calibration);

} // namespace moesim
