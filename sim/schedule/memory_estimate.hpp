#pragma once

#include "sim/base/units.hpp"
#include "sim/routing/expert_load.hpp"
#include "sim/workload/workload.hpp"

#include <string>
#include <vector>

namespace moesim {

/// What one rank of a pipeline stage keeps in device memory at its fullest moment.
struct MemoryEstimate {
  std::int64_t stage = 0;
  Bytes weights;               ///< bf16
  Bytes gradients;             ///< fp32 or bf16
  Bytes optimizer_states;      ///< master weight and two Adam moments, sharded from ZeRO-1 on
  Bytes gathered;              ///< weights and gradients of the layers in use, from ZeRO-2 on
  Bytes gradient_placeholders; ///< bf16, one for each shape of weight, below ZeRO-2
  Bytes activations;           ///< of the micro-batches in flight, and the head's logits
  Bytes dispatch_buffers;      ///< send and receive buffers of one dispatch and one combine
  Bytes fragmentation;         ///< what the allocator holds beyond what is allocated
  Bytes framework;             ///< context, libraries and communication buffers

  /// What a framework's allocator counts at its peak: all but fragmentation and framework.
  Bytes allocated() const;
  Bytes total() const;
};

/// The estimate for one stage; the framework's share is an assumption that
/// calibration/DEVIATIONS.md names.
MemoryEstimate estimate_memory(const Workload& workload, std::int64_t stage);
/// The stage whose ranks are fullest; `loads` are those of the workload.
MemoryEstimate fullest_stage(const Workload& workload, const ExpertLoads& loads);
MemoryEstimate fullest_stage(const Workload& workload);

} // namespace moesim
