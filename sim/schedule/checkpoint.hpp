#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/workload.hpp"

namespace moesim {

/// Bytes of a checkpoint: the weights in bf16 and the optimizer's states of every parameter, once.
/// Replicas are not written. Weights that are sharded in fp32 are the optimizer's.
Bytes checkpoint_bytes(const Workload& workload);

} // namespace moesim
