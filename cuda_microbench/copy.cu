// Copies of contiguous memory: what bytes cost between the memories that a step moves them between.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/harness/device_buffer.hpp"
#include "cuda_microbench/harness/on_device.hpp"

#include <memory>

namespace moesim::microbench::copy {

namespace {

using Word = std::uint32_t;
constexpr std::uint64_t seed = 1;
constexpr std::size_t bytes_min = std::size_t{4} << 10;
constexpr std::size_t bytes_max = std::size_t{1} << 30;
constexpr std::size_t bytes_max_quick = std::size_t{1} << 20;
constexpr std::size_t bytes_factor = 4;

/// Where one end of a copy is; `host` is pinned memory.
enum class Place { device, host, peer };

struct Kind {
  const char* name;
  Place source;
  Place target;
};
constexpr Kind kinds[] = {{"device_to_device", Place::device, Place::device},
                          {"host_to_device", Place::host, Place::device},
                          {"device_to_host", Place::device, Place::host},
                          {"peer", Place::device, Place::peer}};

__global__ void write_pattern(Word* words, std::size_t count) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride)
    words[i] = static_cast<Word>(hash_counter(seed, i));
}

__global__ void count_wrong(const Word* words, std::size_t count, unsigned long long* wrong) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride)
    if (words[i] != static_cast<Word>(hash_counter(seed, i)))
      atomicAdd(wrong, 1ull);
}

/// Another device that this one reaches directly, made accessible; -1 if there is none.
int find_peer(int own) {
  int devices = 0;
  CUDA_CALL(cudaGetDeviceCount(&devices));
  for (int other = 0; other < devices; ++other)
    if (other != own && enable_peer_access(own, other))
      return other;
  return -1;
}

std::shared_ptr<Word> allocate(Place place, std::size_t bytes, int own, int peer) {
  Word* words = nullptr;
  if (place == Place::host) {
    CUDA_CALL(cudaMallocHost(&words, bytes));
    return {words, [](Word* memory) { cudaFreeHost(memory); }};
  }
  CUDA_CALL(cudaSetDevice(place == Place::peer ? peer : own));
  const cudaError_t status = cudaMalloc(&words, bytes);
  CUDA_CALL(cudaSetDevice(own));
  CUDA_CALL(status);
  return {words, [](Word* memory) { cudaFree(memory); }};
}

/// Copies between two memories of any place, and waits.
void copy_now(Word* target, const Word* source, std::size_t bytes) {
  CUDA_CALL(cudaMemcpy(target, source, bytes, cudaMemcpyDefault));
  CUDA_CALL(cudaDeviceSynchronize());
}

/// The share of words that a copy from a known pattern into cleared memory leaves wrong. Pattern
/// and check are on the device: `scratch` carries them to and from the other memories.
double wrong_share(Recorder& recorder, Word* source, Word* target, std::size_t bytes,
                   const Launch& copy) {
  DeviceBuffer<Word> scratch(bytes / sizeof(Word));
  scratch.clear();
  copy_now(target, scratch.data(), bytes);
  write_pattern<<<grid_for(scratch.size(), 256), 256>>>(scratch.data(), scratch.size());
  CUDA_CALL(cudaGetLastError());
  copy_now(source, scratch.data(), bytes);
  recorder.run_once(copy);
  scratch.clear();
  copy_now(scratch.data(), target, bytes);
  DeviceBuffer<unsigned long long> wrong(1);
  wrong.clear();
  count_wrong<<<grid_for(scratch.size(), 256), 256>>>(scratch.data(), scratch.size(), wrong.data());
  CUDA_CALL(cudaGetLastError());
  return static_cast<double>(wrong.download()[0]) / static_cast<double>(scratch.size());
}

void run_case(Recorder& recorder, const Kind& kind, std::size_t bytes, int peer) {
  const int own = recorder.device().ordinal;
  const std::shared_ptr<Word> source = allocate(kind.source, bytes, own, peer);
  const std::shared_ptr<Word> target = allocate(kind.target, bytes, own, peer);
  const Launch copy = [&](cudaStream_t stream) {
    CUDA_CALL(cudaMemcpyAsync(target.get(), source.get(), bytes, cudaMemcpyDefault, stream));
  };
  // The same memory both reads and writes them; a link carries them once.
  const bool twice = kind.source == kind.target;
  const Work work{.bytes = (twice ? 2.0 : 1.0) * static_cast<double>(bytes)};
  const std::vector<std::string> shape{kind.name, std::to_string(bytes)};
  if (recorder.verify(shape, wrong_share(recorder, source.get(), target.get(), bytes, copy), 0.0))
    recorder.time(shape, work, copy);
}

/// Whole buffers first: they tell the bandwidth.
Importance importance_of(std::size_t bytes) {
  return bytes >= bytes_max / 64 ? Importance::shipped : Importance::grid;
}

void run(Recorder& recorder) {
  const int peer = find_peer(recorder.device().ordinal);
  const std::size_t largest = recorder.quick() ? bytes_max_quick : bytes_max;
  for (const Kind& kind : kinds)
    for (std::size_t bytes = bytes_min; bytes <= largest; bytes *= bytes_factor)
      recorder.attempt(importance_of(bytes), {kind.name, std::to_string(bytes)}, [&] {
        if (kind.target == Place::peer && peer < 0)
          recorder.skip({kind.name, std::to_string(bytes)}, "no other device can be reached");
        else
          run_case(recorder, kind, bytes, peer);
      });
}

const Registration registration{
    {"copy",
     "Copies within the device, to and from pinned host memory, and to a peer device.",
     {"kind", "bytes"},
     run}};

} // namespace

} // namespace moesim::microbench::copy
