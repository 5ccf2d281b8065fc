#include "sim/base/check.hpp"
#include "sim/workload/parallel_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace moesim {

namespace {

/// Builds the passes of a stage in the order of the calls. Each kind of pass takes the
/// micro-batches of a direction in turn. A pass receives its input right before its turn and sends
/// its result right after it; `early` and `late` move these by some turns. Micro-batches of
/// direction 0 enter at the nearer end of the pipeline, those of direction 1 at the other.
class DualOrder {
public:
  /// The chunk of direction 0 is `near`. Chunk 0 has the first `half` micro-batches, chunk 1 the
  /// others.
  DualOrder(std::int64_t near, std::int64_t half, bool side_by_side)
      : near_(near), half_(half), side_by_side_(side_by_side) {}

  void forward(std::int64_t direction, std::int64_t early = 0, std::int64_t late = 0) {
    add(next(Pass::forward, direction, forwards_[direction]++), early, late);
  }
  void backward(std::int64_t direction) {
    add(next(Pass::backward, direction, backwards_[direction]++));
  }
  /// Adds the gradients of inputs; `weight` adds those of weights later.
  void backward_input(std::int64_t direction) {
    const std::int64_t number = backwards_[direction]++;
    add(next(Pass::backward_input, direction, number));
    open_.push_back(next(Pass::backward_weight, direction, number));
  }
  /// Adds the gradients of weights of the earliest pass that still lacks them.
  void weight() {
    INVARIANT(!open_.empty(), "no gradient of weights waits after {} passes", order_.size());
    add(open_.front());
    open_.pop_front();
  }
  /// A forward pass, and a backward pass of the other direction with it.
  void pair(std::int64_t forward_direction, std::int64_t early = 0) {
    forward(forward_direction, early);
    --turn_; // both passes share one turn
    backward(1 - forward_direction);
    order_.back().beside_previous = side_by_side_;
  }
  StageOrder take() { return std::move(order_); }

private:
  void add(ChunkPass pass, std::int64_t early = 0, std::int64_t late = 0) {
    pass.turn = {turn_, turn_ - early, turn_ + 1 + late};
    order_.push_back(pass);
    ++turn_;
  }
  ChunkPass next(Pass pass, std::int64_t direction, std::int64_t number) const {
    const std::int64_t chunk = direction == 0 ? near_ : 1 - near_;
    return {pass, chunk * half_ + number, chunk};
  }

  std::int64_t near_;
  std::int64_t half_;
  bool side_by_side_;
  std::int64_t forwards_[2] = {0, 0};
  std::int64_t backwards_[2] = {0, 0};
  std::deque<ChunkPass> open_; ///< passes for gradients of weights, not yet added
  std::int64_t turn_ = 0;      ///< turn of the next pass
  StageOrder order_;
};

/// Adds the passes before the steady state. `before` stages lie between this one and the nearer
/// end, `within` between it and the middle.
void warm_up(DualOrder& order, std::int64_t before, std::int64_t within) {
  for (std::int64_t pass = 0; pass < 2 * within; ++pass)
    order.forward(0);
  const bool middle = within == 0;
  for (std::int64_t pass = 0; pass <= before; ++pass) {
    order.forward(0, pass > 0 ? 1 : 0, middle ? 0 : 1);
    order.forward(1, 0, middle && pass == before ? 1 : 0);
  }
  for (std::int64_t pass = 0; pass < within; ++pass) {
    order.backward_input(1);
    order.weight();
    order.forward(1, 1);
  }
}

void steady_state(DualOrder& order, std::int64_t within, std::int64_t rounds) {
  for (std::int64_t round = 0; round < rounds; ++round) {
    if (round == 0 && within == 0) {
      // The stages in the middle wait for each other here. Passes side by side would wait longer.
      order.forward(0, 1, 1);
      order.backward(1);
    } else {
      // The first input was received before the last turn with forward passes of both directions.
      order.pair(0, round == 0 ? 1 + 3 * within : 0);
    }
    order.pair(1);
  }
}

void drain(DualOrder& order, std::int64_t before, std::int64_t within) {
  for (std::int64_t pass = 0; pass < within; ++pass) {
    order.backward(1);
    order.pair(1);
  }
  // The second half of these passes leaves its gradients of weights for the end.
  const std::int64_t whole = before + 1;
  for (std::int64_t pass = 0; pass < 2 * (before + 1); ++pass)
    if (pass < whole)
      order.backward(1 - pass % 2);
    else
      order.backward_input(1 - pass % 2);
  for (std::int64_t pass = 0; pass < within; ++pass) {
    order.weight();
    order.backward_input(0);
  }
  for (std::int64_t pass = 0; pass <= before; ++pass)
    order.weight();
}

/// DualPipe (DeepSeek-V3, arXiv 2412.19437, section 3.2.1, as published in deepseek-ai/DualPipe):
/// half of the micro-batches enter at the first stage, the others at the last. Stage s passes the
/// former (0 … micro_batches / 2 − 1) through its chunk 0, the latter through its chunk 1. In the
/// steady state each forward pass has a backward pass of the other direction behind it; under
/// `overlap_batches`, beside it. At the ends of the step, gradients of weights are passes of their
/// own that fill gaps. Keeps at most stages + 1 micro-batches.
StageOrder order_of_dual_pipe(const ParallelPlan& plan, std::int64_t stage,
                              std::int64_t micro_batches) {
  const std::int64_t stages = plan.pipeline;
  INVARIANT(stages % 2 == 0 && micro_batches % 2 == 0 && micro_batches >= 2 * stages,
            "{} micro-batches, {} stages", micro_batches, stages);
  const std::int64_t before = std::min(stage, stages - 1 - stage);
  const std::int64_t within = stages / 2 - 1 - before;
  DualOrder order(stage < stages / 2 ? 0 : 1, micro_batches / 2, plan.overlap_batches);
  warm_up(order, before, within);
  steady_state(order, within, micro_batches / 2 - stages + before + 1);
  drain(order, before, within);
  return order.take();
}

/// Stage s of p holds virtual stage s for micro-batches from its own end, p − 1 − s for those from
/// the other.
std::int64_t virtual_stage_of_dual_pipe(const ParallelPlan& plan, std::int64_t stage,
                                        std::int64_t chunk) {
  return chunk == 1 ? plan.pipeline - 1 - stage : stage;
}

std::optional<PlanFault> find_dual_pipe_fault(const ParallelPlan& plan,
                                              const TrainingSpec& training) {
  if (plan.pipeline % 2 != 0)
    return PlanFault{
        "parallel", "pipeline",
        fmt::format("pipeline {} is odd: DualPipe folds the stages onto each other", plan.pipeline),
        fmt::format("use {} or {}", plan.pipeline - 1, plan.pipeline + 1)};
  const std::int64_t micro_batches = plan.micro_batches(training);
  const std::int64_t nearest = std::max(nearest_multiple(micro_batches, 2), 2 * plan.pipeline);
  if (micro_batches != nearest)
    return PlanFault{
        "training", "global_batch",
        fmt::format("{} micro-batches are not an even number of at least 2 x pipeline {}, which "
                    "DualPipe needs",
                    micro_batches, plan.pipeline),
        fmt::format("the nearest global_batch that is one is {}",
                    nearest * plan.data() * training.micro_batch)};
  return std::nullopt;
}

} // namespace

constinit const Schedule Schedule::dual_pipe = {
    .name = "dualpipe",
    .order = order_of_dual_pipe,
    .split_backward = true,
    .holders = 2,
    .delays_weight_gradients = true,
    .virtual_stage = virtual_stage_of_dual_pipe,
    .holder = virtual_stage_of_dual_pipe, // the mapping is its own inverse
    .pairs_passes = [](const ParallelPlan&) { return true; },
    .find_fault = find_dual_pipe_fault};

} // namespace moesim
