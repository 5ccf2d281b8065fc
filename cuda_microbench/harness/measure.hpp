#pragma once

#include "cuda_microbench/harness/results.hpp"
#include "cuda_microbench/harness/statistics.hpp"

#include <cuda_runtime.h>

#include <functional>

namespace moesim::microbench {

/// Enqueues the work to be measured on the stream and returns; it must end with that stream's
/// order, so work on other streams or devices is joined to it by events.
using Launch = std::function<void(cudaStream_t)>;

/// Whether the L2 cache is full of other data before each sample.
enum class Cold : bool { no, yes };

/// How a launch is measured.
struct MeasureOptions {
  Cold cold = Cold::yes;
  /// The stream is held back until the whole sample is enqueued, so that the host's time for a
  /// launch does not count. `false` where the launch waits for the GPU itself.
  bool blocking = true;
  int launches = 1; ///< equal pieces of work in one Launch: the times are divided by it
  SampleLimits limits{};
};

/// Times `launch` on a stream of the current device: three runs to warm up, then samples
///
///     stream: [write over the L2 cache] [hold] (start) [launch …] (stop)
///     host:    enqueues all of it, then lets `hold` end
///
/// until `options.limits` are met. If then the SM clock is throttled, it waits 200 ms and measures
/// again, at most three times; the last result is marked `throttled` if it still is.
/// Throws std::runtime_error for a failed CUDA call, and where the host did not come back from
/// `launch` within the second for which `hold` waits.
Measurement measure(cudaStream_t stream, const Launch& launch, const MeasureOptions& options = {});

} // namespace moesim::microbench
