#pragma once

#include "sim/schedule/segment.hpp"
#include "sim/workload/workload.hpp"

#include <vector>

namespace moesim {

/// What the host launches for a pass.
struct HostPortion {
  std::size_t end = 0; ///< it launches the segments before this one, from the last portion's end
  HostWork work;       ///< not counting what a CUDA graph holds
  /// The host waits for the device before it goes on.
  bool synchronises = false;
};

/// What the host does for a pass: an operator for each kernel and each collective. Grouped products
/// launch group by group (Transformer Engine calls cuBLAS so), casts as many as cast_launches, and
/// other kernels as often as they say: the first belongs to the operator, what is beyond launches
/// inside it. What a CUDA graph holds does not count. A portion ends with each
/// compute: what comes next waits until the host has launched it all. One ends before each
/// dispatch: the host must know how many tokens each expert gets before it can launch what works on
/// them, so it waits for the router (NVIDIA/Megatron-LM
/// docs/discussions/deepseek-v3-gb200-optimization, section 3.1); gradients go the known way, for
/// them it only counts apart. Where the host posts the messages of a dispatch or combine it waits
/// for its end (inferred: calibration/DEVIATIONS.md 37). Empty if one graph holds the whole step.
std::vector<HostPortion> host_portions(const std::vector<Segment>& segments, const Works& works,
                                       const CudaGraphs& graphs);

} // namespace moesim
