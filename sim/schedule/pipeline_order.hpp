#pragma once

#include "sim/workload/parallel_plan.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace moesim {

/// What a stage does with one of its chunks in one pass.
enum class Pass : std::uint8_t {
  forward,
  backward,       ///< the gradients of inputs and of weights
  backward_input, ///< the gradients of inputs: what the virtual stage before waits for
  backward_weight ///< the gradients of weights, after those of the inputs
};

/// A stage that exchanges with its neighbours only between its turns, each of one pass or two.
struct Turn {
  std::int64_t number = 0;      ///< of the pass, from 0
  std::int64_t received_at = 0; ///< the turn before which it gets what the pass needs …
  std::int64_t sent_at = 0;     ///< … and that before which it sends what the pass has made

  bool operator==(const Turn&) const = default;
};

/// One pass of one micro-batch through a chunk of a stage.
struct ChunkPass {
  Pass pass = Pass::forward;
  std::int64_t micro_batch = 0;
  std::int64_t chunk = 0; ///< 0 … ParallelPlan::chunks() − 1
  /// A backward pass that runs beside the pass before it, which is a forward pass of another
  /// micro-batch or chunk: neither waits for the other.
  bool beside_previous = false;
  /// None: what it needs and what it makes travels beside other passes.
  std::optional<Turn> turn = std::nullopt;

  bool operator==(const ChunkPass&) const = default;
};

/// All that a stage does in a step, in order.
using StageOrder = std::vector<ChunkPass>;

/// The order of a stage under the plan's schedule, which is legal (find_plan_fault).
StageOrder pipeline_order(const ParallelPlan& plan, std::int64_t stage, std::int64_t micro_batches);

/// 1F1B: min(stages − 1 − stage, micro_batches) forward passes to warm up, then one forward and one
/// backward in turn, then the backward passes that remain (Narayanan et al., arXiv 2104.04473,
/// section 2.2).
StageOrder one_forward_one_backward(std::int64_t stages, std::int64_t stage,
                                    std::int64_t micro_batches);

/// 1F1B over `chunks` chunks a stage (the same, section 2.3; Megatron-LM's order): micro-batches
/// pass in groups of `stages`, each group through chunk 0, then through chunk 1, …. A stage warms
/// up with 2 (stages − 1 − stage) + (chunks − 1) stages passes. `micro_batches` is a multiple of
/// `stages`.
StageOrder interleaved(std::int64_t stages, std::int64_t chunks, std::int64_t stage,
                       std::int64_t micro_batches);

/// ZB-H1 (Qi et al., arXiv 2401.10241, section 3): 1F1B, but a gradient of weights waits until as
/// many micro-batches as there are stages are kept, or until there are no forward passes left; then
/// they fill the drain.
StageOrder zero_bubble(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches);

/// ZB-V (Qi et al., arXiv 2401.10241, section 6; a V-shape schedule of arXiv 2405.15362): stage s
/// holds the virtual stages s and 2 × stages − 1 − s, and gradients of weights fill every gap from
/// the first backward pass to the last. Where the passes of all kinds take alike and there are at
/// least 2 × stages − 1 micro-batches, no stage waits between its first pass and its last. Keeps at
/// most 2 × stages micro-batches of a chunk, on every stage.
StageOrder zero_bubble_v(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches);

/// DualPipe (DeepSeek-V3, arXiv 2412.19437, section 3.2.1, as published in deepseek-ai/DualPipe):
/// half of the micro-batches enter at the first stage, the others at the last. Stage s passes the
/// former (0 … micro_batches / 2 − 1) through its chunk 0, the latter through its chunk 1. In the
/// steady state each forward pass has a backward pass of the other direction behind it; if
/// `side_by_side`, beside it. Gradients of weights are apart where they fill the ends. `stages` is
/// even, `micro_batches` even and at least 2 × stages. Keeps at most stages + 1 micro-batches.
StageOrder dual_pipe(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches,
                     bool side_by_side);

/// True if a schedule has passes of this kind.
bool has_pass(Schedule schedule, Pass pass);

/// The order with each whole backward pass beside the forward pass that would follow it: that one
/// comes first and so warms the stage up one pass further, and a pair never is of one micro-batch
/// in one chunk (Megatron-Core's overlap_moe_expert_parallel_comm). Of 1F1B on one stage and of
/// interleaved 1F1B.
StageOrder beside_each_other(StageOrder order);

/// The most that a stage keeps at one time under an order, where a micro-batch that has passed
/// forward keeps `kept[chunk]` until its backward pass, that of the weights included, is done. Of
/// two passes side by side one keeps layer by layer what the other frees.
std::int64_t most_kept(const StageOrder& order, const std::vector<std::int64_t>& kept);

} // namespace moesim
