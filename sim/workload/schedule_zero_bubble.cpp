#include "sim/workload/parallel_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

/// ZB-H1 (Qi et al., arXiv 2401.10241, section 3): 1F1B with later gradients of weights. Each waits
/// until `stages` micro-batches are kept or no forward pass is left; in the drain they fill the
/// gaps.
StageOrder zero_bubble_h1(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches) {
  StageOrder order;
  order.reserve(static_cast<std::size_t>(3 * micro_batches));
  std::int64_t forward = 0;
  std::int64_t weight = 0;
  while (forward < std::min(stages - 1 - stage, micro_batches))
    order.push_back({Pass::forward, forward++});
  for (std::int64_t input = 0; input < micro_batches; ++input) {
    if (forward < micro_batches)
      order.push_back({Pass::forward, forward++});
    order.push_back({Pass::backward_input, input});
    if (forward == micro_batches || forward - weight >= stages)
      order.push_back({Pass::backward_weight, weight++});
  }
  while (weight < micro_batches)
    order.push_back({Pass::backward_weight, weight++});
  return order;
}

/// Builds the passes of a stage in the order of the calls. The stage holds chunk 0 on the way down
/// the stages and chunk 1 on the way up. Each kind of pass takes the micro-batches in turn.
class OrderOfV {
public:
  /// Passes of micro-batches from `micro_batches` on are left out.
  explicit OrderOfV(std::int64_t micro_batches) : micro_batches_(micro_batches) {}

  std::int64_t forwards(std::size_t chunk) const { return forwards_[chunk]; }
  std::int64_t inputs(std::size_t chunk) const { return inputs_[chunk]; }
  std::int64_t weights(std::size_t chunk) const { return weights_[chunk]; }
  void forward(std::size_t chunk) { add(Pass::forward, forwards_[chunk]++, chunk); }
  void input(std::size_t chunk) { add(Pass::backward_input, inputs_[chunk]++, chunk); }
  void weight(std::size_t chunk) { add(Pass::backward_weight, weights_[chunk]++, chunk); }
  void both_gradients(std::size_t chunk) {
    input(chunk);
    weight(chunk);
  }
  StageOrder take() { return std::move(order_); }

private:
  void add(Pass pass, std::int64_t micro_batch, std::size_t chunk) {
    if (micro_batch < micro_batches_)
      order_.push_back({pass, micro_batch, static_cast<std::int64_t>(chunk)});
  }

  std::int64_t micro_batches_;
  std::int64_t forwards_[2] = {0, 0};
  std::int64_t inputs_[2] = {0, 0};
  std::int64_t weights_[2] = {0, 0};
  StageOrder order_;
};

/// Adds forward passes until the first micro-batch comes back to the stage, then until 2 × stages
/// micro-batches are kept.
void warm_up(OrderOfV& order, std::int64_t stages, std::int64_t stage) {
  for (std::int64_t pass = 0; pass < 2 * (stages - stage) - 1; ++pass)
    order.forward(0);
  for (std::int64_t pass = 0; pass < stage; ++pass) {
    order.forward(1);
    order.forward(0);
  }
  for (std::int64_t pass = 0; pass < stages - stage; ++pass) {
    order.forward(1);
    order.both_gradients(1);
  }
}

/// Adds the last gradients of inputs of each chunk, as early as the stages before may need them,
/// then those of weights.
void drain(OrderOfV& order, std::int64_t stages, std::int64_t stage) {
  for (std::int64_t pass = 0; pass < stage; ++pass) {
    order.input(0);
    order.input(1);
  }
  for (std::int64_t pass = 0; pass < stages - stage; ++pass) {
    order.input(0);
    order.weight(0);
  }
  for (const std::size_t chunk : {1, 0})
    while (order.weights(chunk) < order.inputs(chunk))
      order.weight(chunk);
}

/// ZB-V (Qi et al., arXiv 2401.10241, section 6; a V-shape schedule of arXiv 2405.15362): gradients
/// of weights fill every gap from the first backward pass to the last. Where the passes of all
/// kinds take the same time and there are at least 2 × stages − 1 micro-batches, no stage waits
/// between its first pass and its last. Keeps at most 2 × stages micro-batches of a chunk, on every
/// stage.
StageOrder zero_bubble_v(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches) {
  // With fewer micro-batches than fill the V, the passes of the missing ones become gaps.
  const std::int64_t all = std::max(2 * stages - 1, micro_batches);
  OrderOfV order(micro_batches);
  warm_up(order, stages, stage);
  while (order.forwards(0) < all || order.forwards(1) < all) {
    if (order.forwards(0) < all)
      order.forward(0);
    order.both_gradients(0);
    order.forward(1);
    order.both_gradients(1);
  }
  drain(order, stages, stage);
  return order.take();
}

StageOrder order_of_zero_bubble(const ParallelPlan& plan, std::int64_t stage,
                                std::int64_t micro_batches) {
  return plan.virtual_stages == 2 ? zero_bubble_v(plan.pipeline, stage, micro_batches)
                                  : zero_bubble_h1(plan.pipeline, stage, micro_batches);
}

/// Stage s of p holds the virtual stages s and 2 p − 1 − s: the model runs down the stages and up
/// again.
std::int64_t virtual_stage_of_v(const ParallelPlan& plan, std::int64_t stage, std::int64_t chunk) {
  return chunk == 1 ? 2 * plan.pipeline - 1 - stage : stage;
}
std::int64_t holder_of_v(const ParallelPlan& plan, std::int64_t virtual_stage,
                         std::int64_t /*chunk*/) {
  return virtual_stage >= plan.pipeline ? 2 * plan.pipeline - 1 - virtual_stage : virtual_stage;
}

std::optional<PlanFault> find_zero_bubble_fault(const ParallelPlan& plan, const TrainingSpec&) {
  if (plan.virtual_stages <= 2)
    return std::nullopt;
  return PlanFault{
      "parallel", "virtual_stages",
      fmt::format("the zero-bubble schedule has 1 virtual stage or 2, not {}", plan.virtual_stages),
      "use 1 (ZB-H1) or 2 (ZB-V)"};
}

} // namespace

constinit const Schedule Schedule::zero_bubble = {.name = "zero-bubble",
                                                  .order = order_of_zero_bubble,
                                                  .whole_backward = false,
                                                  .split_backward = true,
                                                  .virtual_stages = true,
                                                  .virtual_stage = virtual_stage_of_v,
                                                  .holder = holder_of_v,
                                                  .find_fault = find_zero_bubble_fault};

} // namespace moesim
