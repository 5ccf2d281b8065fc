#pragma once

#include "cuda_microbench/core/machine.hpp"

namespace moesim::microbench {

/// Times `launch` on a stream of the current device: three runs to warm up, then samples
///
///     stream: [write over the L2 cache] [hold] (start) [launch …] (stop)
///     host:    enqueues all of it, then lets `hold` end
///
/// until `options.limits` are met. If then the SM clock is throttled, it waits 200 ms and measures
/// again, at most three times; the last result is marked `throttled` if it still is. The SM clock
/// is the mean over the samples: the cycles of the SMs' counters over the GPU's own time.
/// Throws std::runtime_error for a failed CUDA call, and where the host did not come back from
/// `launch` within the second for which `hold` waits.
Measurement measure(Stream stream, const Launch& launch, const MeasureOptions& options = {});

} // namespace moesim::microbench
