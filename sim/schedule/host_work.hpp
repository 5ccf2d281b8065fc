#pragma once

#include "sim/schedule/segment.hpp"
#include "sim/workload/workload.hpp"

#include <vector>

namespace moesim {

/// A portion of the host's launches for a pass.
struct HostPortion {
  std::size_t end = 0; ///< the portion launches the segments before this index, from the previous
                       ///< portion's end
  HostWork work;       ///< without the kernels of CUDA graphs
  /// Whether the host then waits for the device.
  bool synchronises = false;
};

/// The host's work for a pass: one operator for each kernel and each collective. Grouped GEMMs
/// launch group by group (as Transformer Engine calls cuBLAS), casts take cast_launches, other
/// kernels `Kernel::launches`. The first launch belongs to the operator; the others count as
/// further launches, as do the kernels of the same call (unfused attention is one module). Kernels
/// of CUDA graphs do not count, nor do collectives of tensor parallelism beside a captured kernel.
/// A portion ends with each compute: the next one waits until the host has launched it. A portion
/// also ends before each dispatch. The host needs the number of tokens of each expert before it
/// can launch the experts' kernels, so it waits for the router (NVIDIA/Megatron-LM
/// docs/discussions/deepseek-v3-gb200-optimization, section 3.1). It knows the number, and does
/// not wait, where experts are padded to their capacity (the same,
/// megatron/core/transformer/moe/token_dispatcher.py@0014f137: cuda_sync_point "no_sync"), and in
/// a dispatch of gradients. If the host posts the messages of a dispatch or combine, it waits for
/// its end (inferred: calibration/DEVIATIONS.md 37). Empty if one graph holds the full step.
std::vector<HostPortion> host_portions(const std::vector<Segment>& segments, const Works& works,
                                       const Workload& workload);

} // namespace moesim
