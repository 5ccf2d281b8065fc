#pragma once

#include "sim/base/units.hpp"
#include "sim/routing/expert_load.hpp"
#include "sim/workload/workload.hpp"

#include <string>
#include <vector>

namespace moesim {

/// Peak device memory of one rank of a pipeline stage, by use.
struct MemoryEstimate {
  std::int64_t stage = 0;
  Bytes weights;               ///< bf16
  Bytes gradients;             ///< fp32 or bf16
  Bytes optimizer_states;      ///< master weight and two Adam moments, sharded from ZeRO-1 on
  Bytes gathered;              ///< weights and gradients of the layers in use, from ZeRO-2 on
  Bytes gradient_placeholders; ///< bf16, one for each shape of weight, below ZeRO-2
  Bytes activations;           ///< activations of the micro-batches in flight, and the head's
                               ///< logits
  Bytes dispatch_buffers;      ///< send and receive buffers of one dispatch and one combine
  Bytes fragmentation;         ///< bytes that the allocator reserves beyond the allocated ones
  Bytes framework;             ///< context, libraries and communication buffers

  /// Peak of the framework's allocator: all but fragmentation and framework.
  Bytes allocated() const;
  Bytes total() const;
};

/// The estimate for one stage; `framework` is an assumption of calibration/DEVIATIONS.md.
MemoryEstimate estimate_memory(const Workload& workload, std::int64_t stage);
/// The stage whose ranks need the most memory; `loads` must be those of the workload.
MemoryEstimate fullest_stage(const Workload& workload, const ExpertLoads& loads);
MemoryEstimate fullest_stage(const Workload& workload);

} // namespace moesim
