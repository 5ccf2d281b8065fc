#pragma once

#include "sim/workload/pipeline_order.hpp"

#include <optional>
#include <vector>

namespace moesim {

/// Times of a pass, the same on every stage, in any unit. A backward pass with both gradients takes
/// the sum of both.
struct PassTimes {
  double forward = 1.0;
  double input = 1.0;
  double weight = 1.0;
  /// Time of a forward and a backward pass side by side; nothing: the sum of both.
  std::optional<double> pair = std::nullopt;

  double of(Pass pass) const;
  double of_pair() const;
};

/// The times when a stage starts and ends a pass.
struct PassSpan {
  ChunkPass pass;
  double start = 0.0;
  double finish = 0.0;
};

/// The passes of every stage, by stage, for equal stages and transfers that take no time. Each pass
/// begins when the stage is free and its inputs, exchanges between turns included, are ready.
/// Passes side by side begin and end together. Nothing if a stage waits forever, because the orders
/// of the stages contradict each other.
std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times);

} // namespace moesim
