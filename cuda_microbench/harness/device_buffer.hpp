#pragma once

#include "cuda_microbench/harness/cuda_call.hpp"

#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

/// Memory of the current device and its contents. Only for .cu files: it holds a kernel.
namespace moesim::microbench {

/// `size` elements of device memory, freed at the end; not initialised. Throws where memory lacks.
template <class T> class DeviceBuffer {
public:
  explicit DeviceBuffer(std::size_t size) : size_(size) {
    CUDA_CALL(cudaMalloc(&data_, size * sizeof(T)));
  }
  explicit DeviceBuffer(const std::vector<T>& values) : DeviceBuffer(values.size()) {
    upload(values);
  }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~DeviceBuffer() { cudaFree(data_); }

  std::size_t size() const { return size_; } ///< in elements
  std::size_t bytes() const { return size_ * sizeof(T); }
  T* data() { return data_; }
  const T* data() const { return data_; }

  /// Sets every byte to zero.
  void clear() { CUDA_CALL(cudaMemset(data_, 0, bytes())); }

  /// Copies `values` to the device; throws std::invalid_argument unless they are `size()` many.
  void upload(const std::vector<T>& values) {
    if (values.size() != size_)
      throw std::invalid_argument("upload of " + std::to_string(values.size()) +
                                  " elements to a buffer of " + std::to_string(size_));
    CUDA_CALL(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice));
  }

  /// The contents, when all the work before on blocking streams is done.
  std::vector<T> download() const {
    std::vector<T> values(size_);
    CUDA_CALL(cudaMemcpy(values.data(), data_, bytes(), cudaMemcpyDeviceToHost));
    return values;
  }

private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Whether buffers of so many bytes fit into the device's free memory, besides what a measurement
/// itself needs.
inline bool fits(double bytes) {
  constexpr double reserve_bytes = 1e9; // far more than twice the L2 cache of any device
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  CUDA_CALL(cudaMemGetInfo(&free_bytes, &total_bytes));
  return bytes + reserve_bytes <= static_cast<double>(free_bytes);
}

/// 64 random bits for a place: the same for the same seed and index, on host and device. The mixing
/// function of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
__host__ __device__ inline std::uint64_t hash_counter(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t bits = (seed << 40) + (index + 1) * 0x9E3779B97F4A7C15ull;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9ull;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBull;
  return bits ^ (bits >> 31);
}

/// Element `index` of random_buffer(…, seed, low, high) before its rounding to T: uniform over
/// [low, high), of 24 bits. A reference on the host takes its operands from here.
__host__ __device__ inline float random_value(std::uint64_t seed, std::uint64_t index, float low,
                                              float high) {
  const float unit = static_cast<float>(hash_counter(seed, index) >> 40) * 0x1p-24f;
  return low + (high - low) * unit;
}

/// Blocks of a kernel whose `threads` a block step over `count` elements in strides of the grid.
inline unsigned grid_for(std::size_t count, unsigned threads) {
  constexpr std::size_t blocks_max = 4096; // some blocks for every multiprocessor
  const std::size_t blocks = (count + threads - 1) / threads;
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks > blocks_max ? blocks_max : blocks);
}

template <class T>
__global__ void fill_random(T* data, std::size_t count, std::uint64_t seed, float low, float high) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride)
    data[i] = T(random_value(seed, i, low, high));
}

/// `count` elements of T (float, __nv_bfloat16 or __nv_fp8_e4m3), uniform over [low, high] after
/// rounding; the same for the same seed.
template <class T>
DeviceBuffer<T> random_buffer(std::size_t count, std::uint64_t seed, float low, float high) {
  DeviceBuffer<T> buffer(count);
  fill_random<<<grid_for(count, 256), 256>>>(buffer.data(), count, seed, low, high);
  CUDA_CALL(cudaGetLastError());
  return buffer;
}

} // namespace moesim::microbench
