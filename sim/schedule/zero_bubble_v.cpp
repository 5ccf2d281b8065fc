#include "sim/schedule/pipeline_order.hpp"

#include <algorithm>

namespace moesim {

namespace {

/// The passes of a stage that holds a chunk on the way down the stages (0) and one on the way up
/// (1), in the order in which they are asked for; each kind takes the micro-batches in turn.
class OrderOfV {
public:
  /// Only micro-batches below `micro_batches` are real.
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

/// Until the first micro-batch comes back to the stage, and then until 2 × stages are kept.
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

/// The last gradients of inputs on each chunk, as early as the stages before may need them, then
/// those of weights.
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

} // namespace

StageOrder zero_bubble_v(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches) {
  // Fewer micro-batches than fill the V leave gaps where the missing ones would run.
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

} // namespace moesim
