#pragma once

#include "sim/workload/pipeline_order.hpp"

#include <optional>
#include <vector>

namespace moesim {

/// What a pass takes on every stage, in any unit; a whole backward pass takes both gradients.
struct PassTimes {
  double forward = 1.0;
  double input = 1.0;
  double weight = 1.0;
  /// A forward pass and a whole backward pass side by side; without a value, what both take one
  /// after the other.
  std::optional<double> pair = std::nullopt;

  double of(Pass pass) const;
  double of_pair() const;
};

/// When a stage works on a pass.
struct PassSpan {
  ChunkPass pass;
  double start = 0.0;
  double finish = 0.0;
};

/// The passes of every stage, by stage, if stages are equal and nothing is in the way between them:
/// each begins when the stage is free and what it waits for is done, exchanges between turns
/// included, which take no time. No value if a stage waits for
/// ever: the schedule's orders do not fit each other. Passes that run side by side begin and end
/// together.
std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times);

} // namespace moesim
