#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/workload/workload.hpp"

#include <memory>

namespace moesim {

/// What the forward pass of a layer leaves for its backward pass, of one micro-batch on one rank.
struct KeptActivations {
  Bytes on_gpu;
  Bytes on_host; ///< of offloaded modules
};

/// Activations follow Korthikanti et al. (arXiv 2205.05198) with a fused attention that keeps no
/// scores, plus routed tokens, less what recompute drops; a product keeps its input in the
/// precision that it reads. Of uneven experts the busiest rank counts, of `load`.
/// `plan.offload_layers` is not looked at.
KeptActivations kept_activations(const Workload& workload, std::int64_t layer,
                                 const std::shared_ptr<const ExpertLoad>& load);

} // namespace moesim
