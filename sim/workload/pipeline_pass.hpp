#pragma once

#include "sim/base/enumeration.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace moesim {

/// The kind of a pass: the work of a stage on one of its chunks for one micro-batch.
enum class Pass : std::uint8_t {
  forward,
  backward,       ///< the gradients of inputs and of weights
  backward_input, ///< the gradients of inputs, for which the previous virtual stage waits
  backward_weight ///< the gradients of weights, after those of the inputs
};

/// A value for each kind of pass.
template <typename Value> struct PerPass {
  std::array<Value, enumerator_count<Pass>> values = {};

  Value& operator[](Pass pass) { return values[index(pass)]; }
  const Value& operator[](Pass pass) const { return values[index(pass)]; }
};

/// The turn of a pass in a stage that exchanges with its neighbours only between turns. A turn has
/// one pass or two.
struct Turn {
  std::int64_t number = 0;      ///< turn of the pass, from 0
  std::int64_t received_at = 0; ///< turn before which the stage receives the pass's input
  std::int64_t sent_at = 0;     ///< turn before which the stage sends the pass's result

  bool operator==(const Turn&) const = default;
};

/// One pass of one micro-batch through a chunk of a stage.
struct ChunkPass {
  Pass pass = Pass::forward;
  std::int64_t micro_batch = 0;
  std::int64_t chunk = 0; ///< 0 … ParallelPlan::chunks() − 1
  /// Whether a backward pass runs beside the pass before it, a forward pass of another micro-batch
  /// or chunk: neither waits for the other.
  bool beside_previous = false;
  /// Nothing: its input and its result travel beside other passes.
  std::optional<Turn> turn = std::nullopt;

  bool operator==(const ChunkPass&) const = default;
};

/// The passes of a stage in a step, in order.
using StageOrder = std::vector<ChunkPass>;

} // namespace moesim
