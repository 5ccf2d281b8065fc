#pragma once

#include "sim/schedule/segment.hpp"
#include "sim/workload/workload.hpp"

#include <vector>

namespace moesim {

/// Kernels that the host launches one by one for a pass: a kernel each, for grouped products one
/// for each group, in fp8 as many again for the casts of their inputs (Transformer Engine calls
/// cuBLAS group by group), and one for each collective. What a CUDA graph holds does not count.
std::int64_t host_launches(const std::vector<Segment>& segments, const CudaGraphs& graphs);

} // namespace moesim
