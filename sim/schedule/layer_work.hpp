#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/schedule/segment.hpp"
#include "sim/workload/workload.hpp"

#include <optional>
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
  /// Where data-parallel communication hides behind compute: the passes of a step that it runs
  /// beside. Empty where it does not.
  std::vector<Segment> first_forward;
  std::vector<Segment> last_backward;
  std::vector<Segment> last_backward_weight;
  std::vector<Segment> last_backward_delayed;
};

/// Whose load the experts of a stage have.
struct LoadChoice {
  const ExpertLoads* loads = nullptr; ///< of the workload; made anew if there are none yet
  std::int64_t micro_batch = 0;
  std::optional<std::int64_t> expert_rank = std::nullopt;
};

/// The work of a virtual stage: its layers, the embedding on the first, the head on the last. The
/// backward pass mirrors the forward pass: every product has two gradient products, every
/// all-to-all an all-to-all of the same size. With full recompute the forward pass of each layer
/// runs again before its backward pass, with selective recompute the chosen modules. Where experts
/// are loaded unevenly, the work is that of one micro-batch on one rank of the expert-parallel
/// group; without a rank, each layer has that of its busiest, for which the others wait.
StageWork stage_work(const Workload& workload, std::int64_t virtual_stage,
                     const LoadChoice& choice = {});

} // namespace moesim
