#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace moesim {

/// The work of a stage on one of its chunks in one pass.
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

} // namespace moesim
