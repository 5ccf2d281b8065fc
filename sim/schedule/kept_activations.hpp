#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/workload/workload.hpp"

#include <memory>

namespace moesim {

/// Bytes that a layer keeps from its forward to its backward pass, for one micro-batch on one rank.
struct KeptActivations {
  Bytes on_gpu;
  Bytes on_host; ///< bytes of offloaded modules, in host memory
};

/// The activations that a layer keeps, after Korthikanti et al. (arXiv 2205.05198), plus routed
/// tokens, without those that recompute drops. A fused attention keeps no scores. A GEMM
/// keeps its input in the precision that it reads. With uneven experts, the busiest rank of `load`
/// counts. Ignores `plan.offload_layers`.
KeptActivations kept_activations(const Workload& workload, std::int64_t layer,
                                 const std::shared_ptr<const ExpertLoad>& load);

} // namespace moesim
