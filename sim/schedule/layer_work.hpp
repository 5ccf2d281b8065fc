#pragma once

#include "sim/schedule/segment.hpp"
#include "sim/workload/workload.hpp"

#include <vector>

namespace moesim {

/// What one rank of a pipeline stage does for one micro-batch, forward and backward, in order.
/// Neighbouring computes are one segment.
struct StageWork {
  std::vector<Segment> forward;
  std::vector<Segment> backward;
  std::vector<Segment> backward_input; ///< the backward pass without gradients of weights
  std::vector<Segment> backward_weight;
  /// The whole backward pass, where gradients of weights run beside the communication that follows
  /// the gradients of their inputs: what DualPipe runs beside a forward pass (DeepSeek-V3, arXiv
  /// 2412.19437, figure 4).
  std::vector<Segment> backward_delayed;
};

/// The work of a virtual stage: its layers, the embedding on the first, the head on the last. The
/// backward pass mirrors the forward pass: every product has two gradient products, every
/// all-to-all an all-to-all of the same size. With full recompute the forward pass of each layer
/// runs again before its backward pass.
StageWork stage_work(const Workload& workload, std::int64_t virtual_stage);

/// What one rank of a stage does once a step, after its last backward pass: gradient reduction,
/// optimizer, and the gathering of sharded parameters. Where two stages hold the same parameters,
/// each reduces, updates and gathers its half of the shard; what they exchange comes on top.
std::vector<Segment> step_end_work(const Workload& workload, std::int64_t stage);

/// The bytes of one token's activations: bf16, or fp8 with a 4-byte scale for each 128 values
/// (DeepSeek-V3, arXiv 2412.19437, section 3.3).
std::int64_t token_bytes(std::int64_t hidden, Precision precision);

} // namespace moesim
