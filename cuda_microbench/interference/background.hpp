#pragma once

#include "cuda_microbench/harness/device_buffer.hpp"

#include <atomic>
#include <chrono>
#include <thread>

/// Kernels that hold a part of the device while something else is timed. Only for .cu files.
namespace moesim::microbench {

constexpr unsigned background_threads = 1024;
/// A background kernel ends by itself after so long: nothing hangs if the host does not stop it.
constexpr unsigned long long background_deadline_ns = 2'000'000'000ull;

/// What host and device share, in mapped memory: the host writes `stop`, each block its place of
/// `running`.
struct BackgroundFlags {
  volatile unsigned* stop;
  volatile unsigned* running;
};

/// What the blocks of a kernel moved, each in its place.
struct Moved {
  unsigned long long* bytes;
  unsigned long long* nanoseconds;
};

__device__ inline unsigned long long nanoseconds_now() {
  unsigned long long now = 0;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

__device__ inline void say_running(const BackgroundFlags& flags) {
  flags.running[blockIdx.x] = 1;
  __threadfence_system();
}

/// Holds the SM of each of its blocks, and nothing else.
__global__ inline void __launch_bounds__(background_threads) hold_sm(BackgroundFlags flags) {
  if (threadIdx.x == 0) {
    say_running(flags);
    const unsigned long long start = nanoseconds_now();
    while (*flags.stop == 0 && nanoseconds_now() - start < background_deadline_ns)
      __nanosleep(1000);
  }
  __syncthreads();
}

/// Copies `count` vectors again and again, until it is stopped.
__global__ inline void __launch_bounds__(background_threads)
    hold_bandwidth(BackgroundFlags flags, const uint4* from, uint4* to, std::size_t count,
                   Moved moved) {
  constexpr int copies_a_look = 64; // of each thread, between two looks at the flag
  __shared__ bool stopped;
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  std::size_t place = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const unsigned long long start = nanoseconds_now();
  unsigned long long looks = 0;
  if (threadIdx.x == 0)
    say_running(flags);
  do {
    for (int copy = 0; copy < copies_a_look; ++copy) {
      to[place] = from[place];
      place += stride;
      if (place >= count)
        place -= count;
    }
    ++looks;
    __syncthreads(); // all have read the last value of `stopped`
    if (threadIdx.x == 0)
      stopped = *flags.stop != 0 || nanoseconds_now() - start >= background_deadline_ns;
    __syncthreads();
  } while (!stopped);
  if (threadIdx.x == 0) {
    moved.bytes[blockIdx.x] = looks * copies_a_look * blockDim.x * 2 * sizeof(uint4);
    moved.nanoseconds[blockIdx.x] = nanoseconds_now() - start;
  }
}

/// The flags and the stream of a background kernel.
class Background {
public:
  explicit Background(unsigned blocks_max) {
    CUDA_CALL(cudaHostAlloc(&words_, (blocks_max + 1) * sizeof(unsigned), cudaHostAllocMapped));
    unsigned* mapped = nullptr;
    CUDA_CALL(cudaHostGetDevicePointer(&mapped, words_, 0));
    flags_ = {mapped, mapped + 1};
    CUDA_CALL(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() {
    *stop_word() = 1;
    cudaStreamSynchronize(stream_);
    cudaStreamDestroy(stream_);
    cudaFreeHost(words_);
  }

  /// Enqueues `launch(stream, flags)` of so many blocks; whether all of them run within two
  /// seconds. If not, it is stopped.
  template <class Launch> bool start(unsigned blocks, const Launch& launch) {
    blocks_ = blocks;
    for (unsigned word = 0; word <= blocks; ++word)
      stop_word()[word] = 0;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    launch(stream_, flags_);
    CUDA_CALL(cudaGetLastError());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (!all_run())
      if (std::chrono::steady_clock::now() > deadline) {
        stop();
        return false;
      }
    return true;
  }

  /// Ends the kernel and waits for it.
  void stop() {
    *stop_word() = 1;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    CUDA_CALL(cudaStreamSynchronize(stream_));
  }

private:
  volatile unsigned* stop_word() { return words_; }
  bool all_run() {
    for (unsigned block = 0; block < blocks_; ++block)
      if (stop_word()[1 + block] == 0)
        return false;
    return true;
  }

  unsigned* words_ = nullptr; ///< the flag to stop, then one of each block
  BackgroundFlags flags_{};
  cudaStream_t stream_ = nullptr;
  unsigned blocks_ = 0;
};

} // namespace moesim::microbench
