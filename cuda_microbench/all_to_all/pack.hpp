#pragma once

#include "cuda_microbench/core/shares.hpp"
#include "cuda_microbench/harness/device_buffer.hpp"

#include <algorithm>

/// What the device does around an exchange. Only for .cu files: it holds kernels.
namespace moesim::microbench {

constexpr std::size_t row_bytes = 8192; // a token of 4096 features in bf16
constexpr std::size_t row_vectors = row_bytes / sizeof(uint4);
constexpr int destinations = 8;
constexpr unsigned pack_threads = 512; // of a block, which copies one row
constexpr std::uint64_t token_seed = 1;
constexpr std::uint64_t order_seed = 2;
static_assert(row_vectors == pack_threads);

/// The vector that stands at `index` of the tokens.
__host__ __device__ inline uint4 token_vector(std::uint64_t index) {
  const std::uint64_t low = hash_counter(token_seed, 2 * index);
  const std::uint64_t high = hash_counter(token_seed, 2 * index + 1);
  return {static_cast<unsigned>(low), static_cast<unsigned>(low >> 32), static_cast<unsigned>(high),
          static_cast<unsigned>(high >> 32)};
}

__global__ void write_tokens(uint4* tokens) {
  const std::size_t i = static_cast<std::size_t>(blockIdx.x) * row_vectors + threadIdx.x;
  tokens[i] = token_vector(i);
}

/// Row i of `packed` is row order[i] of `tokens`.
__global__ void pack_rows(uint4* packed, const uint4* tokens, const unsigned* order) {
  packed[static_cast<std::size_t>(blockIdx.x) * row_vectors + threadIdx.x] =
      tokens[static_cast<std::size_t>(order[blockIdx.x]) * row_vectors + threadIdx.x];
}

/// Row order[i] of `tokens` is row i of `packed`.
__global__ void unpack_rows(uint4* tokens, const uint4* packed, const unsigned* order) {
  tokens[static_cast<std::size_t>(order[blockIdx.x]) * row_vectors + threadIdx.x] =
      packed[static_cast<std::size_t>(blockIdx.x) * row_vectors + threadIdx.x];
}

/// Adds to `wrong` how many vectors differ from the tokens', in the order given.
__global__ void count_wrong_vectors(const uint4* rows, const unsigned* order,
                                    unsigned long long* wrong) {
  const uint4 is = rows[static_cast<std::size_t>(blockIdx.x) * row_vectors + threadIdx.x];
  const uint4 should_be =
      token_vector(static_cast<std::size_t>(order[blockIdx.x]) * row_vectors + threadIdx.x);
  if (is.x != should_be.x || is.y != should_be.y || is.z != should_be.z || is.w != should_be.w)
    atomicAdd(wrong, 1ull);
}

/// How many of `rows` rows go to each destination; the first one is the device itself.
inline std::vector<std::size_t> rows_by_destination(std::size_t rows, Distribution distribution) {
  std::vector<double> weights;
  for (int destination = 0; destination < destinations; ++destination)
    weights.push_back(distribution == Distribution::equal ? 1.0 : 1.0 / (destination + 1));
  return split(rows, 1, weights);
}

/// The rows in the order of their destinations; of one destination, in their own order. How many
/// rows go where is as `distribution` says, which rows is random.
inline std::vector<unsigned> order_by_destination(std::size_t rows, Distribution distribution) {
  std::vector<unsigned> order(rows);
  for (std::size_t row = 0; row < rows; ++row)
    order[row] = static_cast<unsigned>(row);
  std::sort(order.begin(), order.end(), [](unsigned a, unsigned b) {
    return hash_counter(order_seed, a) < hash_counter(order_seed, b);
  });
  auto begin = order.begin();
  for (const std::size_t count : rows_by_destination(rows, distribution)) {
    std::sort(begin, begin + static_cast<std::ptrdiff_t>(count));
    begin += static_cast<std::ptrdiff_t>(count);
  }
  return order;
}

/// Tokens that are packed, of which the share for the device itself is copied, and all of which are
/// unpacked: what other devices would send has been received before.
class PackedCopy {
public:
  /// `bytes` is a multiple of row_bytes.
  PackedCopy(std::size_t bytes, Distribution distribution)
      : rows_(static_cast<unsigned>(bytes / row_bytes)),
        own_bytes_(rows_by_destination(rows_, distribution).front() * row_bytes),
        order_(order_by_destination(rows_, distribution)), tokens_(rows_ * row_vectors),
        packed_(tokens_.size()), received_(tokens_.size()), unpacked_(tokens_.size()) {
    write_tokens<<<rows_, pack_threads>>>(tokens_.data());
    CUDA_CALL(cudaGetLastError());
    packed_.clear();
    pack_rows<<<rows_, pack_threads>>>(received_.data(), tokens_.data(), order_.data());
    CUDA_CALL(cudaGetLastError());
    CUDA_CALL(cudaMemset(received_.data(), 0, own_bytes_));
    unpacked_.clear();
  }

  /// Read and written: all rows twice, the own ones once more.
  double bytes() const {
    return 4.0 * static_cast<double>(packed_.bytes()) + 2.0 * static_cast<double>(own_bytes_);
  }

  void enqueue(cudaStream_t stream) {
    pack_rows<<<rows_, pack_threads, 0, stream>>>(packed_.data(), tokens_.data(), order_.data());
    CUDA_CALL(cudaGetLastError());
    CUDA_CALL(cudaMemcpyAsync(received_.data(), packed_.data(), own_bytes_,
                              cudaMemcpyDeviceToDevice, stream));
    unpack_rows<<<rows_, pack_threads, 0, stream>>>(unpacked_.data(), received_.data(),
                                                    order_.data());
    CUDA_CALL(cudaGetLastError());
  }

  /// The share of vectors that are wrong behind the copy or behind it all.
  double wrong_share() const {
    std::vector<unsigned> own_order(rows_);
    for (unsigned row = 0; row < rows_; ++row)
      own_order[row] = row;
    const DeviceBuffer<unsigned> as_they_are(own_order);
    DeviceBuffer<unsigned long long> wrong(1);
    wrong.clear();
    count_wrong_vectors<<<rows_, pack_threads>>>(received_.data(), order_.data(), wrong.data());
    CUDA_CALL(cudaGetLastError());
    count_wrong_vectors<<<rows_, pack_threads>>>(unpacked_.data(), as_they_are.data(),
                                                 wrong.data());
    CUDA_CALL(cudaGetLastError());
    return static_cast<double>(wrong.download()[0]) / static_cast<double>(2 * tokens_.size());
  }

private:
  unsigned rows_;
  std::size_t own_bytes_;
  DeviceBuffer<unsigned> order_;
  DeviceBuffer<uint4> tokens_;
  DeviceBuffer<uint4> packed_;
  DeviceBuffer<uint4> received_;
  DeviceBuffer<uint4> unpacked_;
};

} // namespace moesim::microbench
