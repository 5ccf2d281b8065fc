#pragma once

#include "sim/schedule/pipeline_orders.hpp"

#include <optional>
#include <vector>

namespace moesim {

/// An event of two passes side by side: it comes at the earliest so long after the arrival of the
/// inputs of each. Without a value, it does not wait for that pass.
struct PairEvent {
  std::optional<double> after_forward;
  std::optional<double> after_backward;

  /// The time of the event if the inputs arrive at these times.
  double at(double forward, double backward) const;
};

/// Durations of a forward pass and a backward pass side by side, in the unit of the pipeline.
struct PairTimes {
  PairEvent forward;  ///< the result of the forward pass
  PairEvent backward; ///< the result of the backward pass
  PairEvent both;     ///< the end of both
  double least = 0.0; ///< from the first arrival to the end of both
};

/// Durations of everything that a pipeline waits for.
struct PipelineTimes {
  /// The passes of a chunk one after the other, by stage, then by chunk.
  std::vector<std::vector<PerPass<double>>> alone;
  /// By stage, then by chunk: before it no pass of the chunk may start.
  std::vector<std::vector<double>> begin;
  /// By stage, chunk of the forward pass and chunk of the backward pass; empty if the plan pairs
  /// none.
  std::vector<std::vector<std::vector<PairTimes>>> pair;
  /// By copy of the parameters (one, or DualPipe's two), then by virtual stage: the transfer of
  /// activations to the next virtual stage, and of gradients back. 0 where one stage holds both.
  std::vector<std::vector<double>> send;
};

/// Equal durations on every stage, for drawings and for bubbles of equal stages.
struct PassTimes {
  double forward = 1.0;
  double input = 1.0;
  double weight = 1.0;
  /// A forward pass and a whole backward pass side by side; without a value, the sum of both.
  std::optional<double> pair = std::nullopt;
};
/// The times of a pipeline whose stages are equal and whose sends take no time.
PipelineTimes equal_stages(const ParallelPlan& plan, const PassTimes& times);

/// The time in which a stage works on a pass.
struct PassSpan {
  ChunkPass pass;
  double start = 0.0;
  double finish = 0.0; ///< of two passes side by side, of both
  double result = 0.0; ///< what the pass makes for other passes is there
};

/// The passes of every stage, by stage, under the schedule of a plan. A pass starts when its stage
/// is free and its inputs have arrived. Two passes side by side share a stage and its links, and
/// the next pass waits for both. Exchanges between turns (Turn) take no time, but both sides wait
/// for each other. No value if a stage waits for ever: the orders of the stages do not fit each
/// other.
std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, const PipelineOrders& orders, const PipelineTimes& times);
/// The same for equal stages.
std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times);

} // namespace moesim
