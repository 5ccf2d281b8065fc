#pragma once

#include "sim/workload/pipeline_order.hpp"

#include <optional>
#include <vector>

namespace moesim {

/// Durations of the passes of one chunk of a stage, in one unit for a whole pipeline.
struct ChunkTimes {
  PerPass<double> alone;
  /// A forward pass beside a backward pass: from the arrival of the input of one to its own result.
  double paired_forward = 0.0;
  double paired_backward = 0.0;
};

/// Durations of everything that a pipeline waits for.
struct PipelineTimes {
  std::vector<std::vector<ChunkTimes>> chunks; ///< by stage, then by chunk
  /// By stage, then by chunk: before it no pass of the chunk may start.
  std::vector<std::vector<double>> begin;
  /// By stage, chunk of the forward pass and chunk of the backward pass: a pair side by side, if
  /// the inputs of both are there. Empty if the plan pairs none.
  std::vector<std::vector<std::vector<double>>> pair;
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
  double finish = 0.0;
};

/// The passes of every stage, by stage, under the schedule of a plan. A pass starts when its stage
/// is free and its inputs have arrived. Two passes side by side share a stage and its links, and
/// the next pass waits for both. Exchanges between turns (Turn) take no time, but both sides wait
/// for each other. No value if a stage waits for ever: the orders of the stages do not fit each
/// other.
std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, std::int64_t micro_batches, const PipelineTimes& times);
/// The same for equal stages.
std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times);

} // namespace moesim
