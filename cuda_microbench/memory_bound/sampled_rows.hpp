#pragma once

#include "cuda_microbench/harness/reference.hpp"
#include "cuda_microbench/harness/vectors.hpp"

/// What the operations share: sizes, inputs, and comparisons with references. Only for .cu files.
namespace moesim::microbench::memory_bound {

using Bf16 = __nv_bfloat16;

constexpr unsigned threads = 256; // of a block, where the row does not give their number
constexpr std::size_t samples = 16;

struct Sizes {
  std::size_t tokens = 0;
  std::size_t hidden = 0; ///< a multiple of 256, at most 8192: a warp's vectors, and a block's

  std::size_t count() const { return tokens * hidden; }
  std::size_t vectors() const { return count() / vector_values; }
  unsigned row_vectors() const { return static_cast<unsigned>(hidden / vector_values); }
};

/// The largest errors of the sampled results, by their precision.
struct Errors {
  double bf16 = 0.0;
  double fp8 = 0.0;
  double fp32 = 0.0;
};

/// A reference, and the sum of the amounts that it is the sum of.
struct Value {
  double value;
  double scale;
};

/// A value that is no sum.
inline Value single(double value) {
  return {value, std::fabs(value)};
}

/// Blocks for so many threads; every thread has work.
inline unsigned blocks_for(std::size_t count) {
  if (count % threads != 0)
    throw std::invalid_argument("the size is no multiple of a block's");
  return static_cast<unsigned>(count / threads);
}

inline const uint4* vectors_of(const DeviceBuffer<Bf16>& buffer) {
  return reinterpret_cast<const uint4*>(buffer.data());
}
inline uint4* vectors_of(DeviceBuffer<Bf16>& buffer) {
  return reinterpret_cast<uint4*>(buffer.data());
}

inline DeviceBuffer<Bf16> random_inputs(std::size_t count, std::uint64_t seed) {
  return random_buffer<Bf16>(count, seed, -1.0f, 1.0f);
}
inline double input(std::uint64_t seed, std::size_t index) {
  return random_element<Bf16>(seed, index, -1.0f, 1.0f);
}

/// The largest error of sampled rows, the first and the last among them. `expected(row)` is a
/// function of the column, whose result is the Value there.
template <class T, class Expected>
double rows_error(const DeviceBuffer<T>& results, std::size_t width, const Expected& expected) {
  const std::size_t rows = results.size() / width;
  double error = 0.0;
  for (std::size_t sample = 0; sample < samples; ++sample) {
    const std::size_t row = sample * (rows - 1) / (samples - 1);
    const std::vector<T> found = download_range(results, row * width, width);
    const auto expected_at = expected(row);
    for (std::size_t column = 0; column < width; ++column) {
      const Value value = expected_at(column);
      const double result = static_cast<float>(found[column]);
      error = worse(error, relative_error(result, value.value, value.scale));
    }
  }
  return error;
}

/// The same where the Value depends on the place alone.
template <class T, class Expected>
double elements_error(const DeviceBuffer<T>& results, std::size_t width, const Expected& expected) {
  return rows_error(results, width, [&](std::size_t row) {
    return [&, row](std::size_t column) { return expected(row * width + column); };
  });
}

} // namespace moesim::microbench::memory_bound
