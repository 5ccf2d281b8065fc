#pragma once

#include "cuda_microbench/core/shares.hpp"
#include "cuda_microbench/harness/device_buffer.hpp"
#include "cuda_microbench/harness/on_device.hpp"

#include <utility>

/// What an exchange between GPUs needs besides its transfers. Only for .cu files: it holds kernels.
namespace moesim::microbench {

using Word = std::uint32_t;
static_assert(sizeof(Word) == Shares::word_bytes);

/// Writes the words `seed` and their index give.
__global__ void write_words(Word* words, std::size_t count, std::uint64_t seed) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride)
    words[i] = static_cast<Word>(hash_counter(seed, i));
}

/// Adds to `wrong` how many of the words are not those of write_words.
__global__ void count_wrong_words(const Word* words, std::size_t count, std::uint64_t seed,
                                  unsigned long long* wrong) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride)
    if (words[i] != static_cast<Word>(hash_counter(seed, i)))
      atomicAdd(wrong, 1ull);
}

/// A stream on each of the devices 0 … gpus - 1. Between fork() and join() their work is part of
/// another stream, of the device that was the current one when this was made.
class Streams {
public:
  explicit Streams(int gpus) {
    CUDA_CALL(cudaEventCreateWithFlags(&start_, cudaEventDisableTiming));
    for (int device = 0; device < gpus; ++device) {
      const OnDevice current(device);
      members_.emplace_back();
      CUDA_CALL(cudaStreamCreateWithFlags(&members_.back().stream, cudaStreamNonBlocking));
      CUDA_CALL(cudaEventCreateWithFlags(&members_.back().done, cudaEventDisableTiming));
    }
  }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;
  ~Streams() {
    for (const Member& member : members_) {
      cudaEventDestroy(member.done);
      cudaStreamDestroy(member.stream);
    }
    cudaEventDestroy(start_);
  }

  cudaStream_t of(int device) const { return members_[device].stream; }
  /// Work enqueued from here on starts when what is in `stream` is done.
  void fork(cudaStream_t stream) {
    CUDA_CALL(cudaEventRecord(start_, stream));
    for (const Member& member : members_)
      CUDA_CALL(cudaStreamWaitEvent(member.stream, start_, 0));
  }
  /// What is enqueued in `stream` from here on waits for the work of all devices.
  void join(cudaStream_t stream) {
    for (const Member& member : members_) {
      CUDA_CALL(cudaEventRecord(member.done, member.stream));
      CUDA_CALL(cudaStreamWaitEvent(stream, member.done, 0));
    }
  }

private:
  struct Member {
    cudaStream_t stream = nullptr;
    cudaEvent_t done = nullptr;
  };
  cudaEvent_t start_ = nullptr;
  std::vector<Member> members_;
};

/// What the GPUs of an exchange send and receive.
class Buffers {
public:
  explicit Buffers(const Shares& shares) : shares_(shares) {
    for (int device = 0; device < shares.gpus(); ++device) {
      const OnDevice current(device);
      send_.emplace_back(shares.sent(device));
      receive_.emplace_back(shares.received(device));
    }
  }

  /// Where the words from `sender` to `receiver` start.
  const Word* source(int sender, int receiver) const {
    return send_[sender].data() + shares_.send_offset(sender, receiver);
  }
  Word* target(int sender, int receiver) {
    return receive_[receiver].data() + shares_.receive_offset(receiver, sender);
  }

  /// Writes words to send that tell sender, receiver and index apart, and clears what is received.
  void fill() {
    for (int sender = 0; sender < shares_.gpus(); ++sender) {
      const OnDevice current(sender);
      for (int receiver = 0; receiver < shares_.gpus(); ++receiver) {
        const std::size_t words = shares_.words(sender, receiver);
        write_words<<<grid_for(words, 256), 256>>>(send_[sender].data() +
                                                       shares_.send_offset(sender, receiver),
                                                   words, seed_of(sender, receiver));
        CUDA_CALL(cudaGetLastError());
      }
      receive_[sender].clear();
      CUDA_CALL(cudaDeviceSynchronize());
    }
  }

  /// The share of received words that are not those sent to this place. Nothing may be under way.
  double wrong_share() const {
    unsigned long long wrong_words = 0;
    std::size_t words = 0;
    for (int receiver = 0; receiver < shares_.gpus(); ++receiver) {
      const OnDevice current(receiver);
      DeviceBuffer<unsigned long long> wrong(1);
      wrong.clear();
      for (int sender = 0; sender < shares_.gpus(); ++sender) {
        const std::size_t count = shares_.words(sender, receiver);
        count_wrong_words<<<grid_for(count, 256), 256>>>(
            receive_[receiver].data() + shares_.receive_offset(receiver, sender), count,
            seed_of(sender, receiver), wrong.data());
        CUDA_CALL(cudaGetLastError());
      }
      wrong_words += wrong.download()[0];
      words += shares_.received(receiver);
    }
    return static_cast<double>(wrong_words) / static_cast<double>(words);
  }

private:
  static std::uint64_t seed_of(int sender, int receiver) {
    return 1 + static_cast<std::uint64_t>(sender) * 1000 + static_cast<std::uint64_t>(receiver);
  }

  const Shares& shares_;
  std::vector<DeviceBuffer<Word>> send_;
  std::vector<DeviceBuffer<Word>> receive_;
};

} // namespace moesim::microbench
