#pragma once

#include "sim/schedule/placed_stage.hpp"

#include <vector>

namespace moesim {

/// A segment of one of two passes that run side by side.
struct PairedSegment {
  Segment segment;
  bool backward = false;
};

/// Merges two passes that run side by side into one order, in which a device issues their segments.
/// The passes take turns, in proportion to their numbers of turns. A turn lasts until its pass
/// communicates with experts, so that collectives of tensor or context parallelism, and the
/// computes between them, belong to it; gradients of weights after the pass's result are turns of
/// their own. Megatron-Core's turns end there too: attention, then experts (NVIDIA/Megatron-LM:
/// megatron/core/models/common/model_chunk_schedule_plan.py@01cf4fb5). The backward pass is first,
/// as its first compute only undoes the sum of the experts' results. A communication follows the
/// compute that it waits for, and segments beside it follow it. So an all-to-all of one pass runs
/// beside a turn of the other. The computes of that turn lose the SMs that the all-to-all holds
/// (ComputeWork::beside), and the all-to-all is slower (CollectiveWork::beside_compute).
class PassPairing {
public:
  /// `table` gets the computes that run beside a communication, and the
  /// communications of pairs.
  explicit PassPairing(WorkTable& table) : table_(table) {}

  std::vector<PairedSegment> merge(const std::vector<Segment>& forward,
                                   const std::vector<Segment>& backward);

private:
  /// The segments of a pass, with its communications marked as beside computes.
  std::vector<Segment> paired(const std::vector<Segment>& segments);
  std::uint32_t beside(std::uint32_t compute, std::uint32_t communication);

  WorkTable& table_;
};

} // namespace moesim
