#pragma once

#include "cuda_microbench/core/machine.hpp"
#include "cuda_microbench/harness/cuda_call.hpp"

#include <atomic>
#include <chrono>

/// Whether work can be enqueued behind a stream that stands still. Only for .cu files.
namespace moesim::microbench {

/// A stream that stands still until it is opened, or for 100 ms.
class HeldStream {
public:
  explicit HeldStream(cudaStream_t stream) : stream_(stream) {
    CUDA_CALL(cudaLaunchHostFunc(stream, wait, this));
  }
  HeldStream(const HeldStream&) = delete;
  HeldStream& operator=(const HeldStream&) = delete;
  ~HeldStream() {
    open_ = true; // after an exception the stream may still wait
    cudaStreamSynchronize(stream_);
  }

  /// Lets the stream go on, and waits for it. False if it went on before.
  bool open() {
    open_ = true;
    CUDA_CALL(cudaStreamSynchronize(stream_));
    return !timed_out_;
  }

private:
  static void wait(void* held_stream) {
    HeldStream& held = *static_cast<HeldStream*>(held_stream);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{100};
    while (!held.open_ && !held.timed_out_)
      held.timed_out_ = std::chrono::steady_clock::now() > end;
  }

  cudaStream_t stream_;
  std::atomic<bool> open_{false};
  std::atomic<bool> timed_out_{false};
};

/// Whether `launch` returns before the GPU comes to it, so that measure() can hold the stream back.
/// NVIDIA does not say so of cuBLAS's grouped call.
inline bool returns_at_once(cudaStream_t stream, const Launch& launch) {
  HeldStream held(stream);
  launch(stream);
  return held.open();
}

} // namespace moesim::microbench
