#pragma once

#include "sim/schedule/placed_stage.hpp"

#include <vector>

namespace moesim {

/// A segment of a forward pass and a backward pass that run side by side.
struct PairedSegment {
  Segment segment;
  bool backward = false;
};

/// Merges passes that run side by side into the one order in which a device issues their segments.
/// Computes alternate in proportion to their numbers, the backward pass first, as its first compute
/// only undoes the sum of the experts' results; a communication follows the compute that it waits
/// for, and what runs beside it follows it. So an all-to-all of one pass runs beside a compute of
/// the other: this loses the SMs that it holds (ComputeWork::beside), and itself it is slower
/// (CollectiveWork::beside_compute).
class PassPairing {
public:
  /// `table` gets the computes that run beside a communication, and the
  /// communications of pairs.
  explicit PassPairing(WorkTable& table) : table_(table) {}

  std::vector<PairedSegment> merge(const std::vector<Segment>& forward,
                                   const std::vector<Segment>& backward);

private:
  /// The segments of a pass with the communications of a pair.
  std::vector<Segment> paired(const std::vector<Segment>& segments);
  std::uint32_t beside(std::uint32_t compute, std::uint32_t communication);

  WorkTable& table_;
};

} // namespace moesim
