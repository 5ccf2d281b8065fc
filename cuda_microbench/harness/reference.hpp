#pragma once

#include "cuda_microbench/harness/device_buffer.hpp"

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

/// What comparisons with a reference on the host share. Only for .cu files.
namespace moesim::microbench {

/// Element `index` of random_buffer<T>(…, seed, low, high), as the device rounded it.
template <class T>
double random_element(std::uint64_t seed, std::size_t index, float low, float high) {
  return static_cast<double>(static_cast<float>(T(random_value(seed, index, low, high))));
}

/// `count` elements from `first`, when all the work before on blocking streams is done. Throws
/// std::out_of_range unless the buffer has them.
template <class T>
std::vector<T> download_range(const DeviceBuffer<T>& buffer, std::size_t first, std::size_t count) {
  if (first > buffer.size() || count > buffer.size() - first)
    throw std::out_of_range("download beyond the end of a buffer");
  std::vector<T> values(count);
  CUDA_CALL(
      cudaMemcpy(values.data(), buffer.data() + first, count * sizeof(T), cudaMemcpyDeviceToHost));
  return values;
}

/// The distance of a result from the expected value, relative to `scale`: the sum of the amounts
/// that the value is the sum of, so that terms which cancel do not count as errors. Zero if both
/// are zero.
inline double relative_error(double result, double expected, double scale) {
  constexpr double no_division_by_zero = 1e-30; // far below any value that is compared
  return std::fabs(result - expected) / (std::fabs(scale) + no_division_by_zero);
}

/// The larger of two errors; one that is not a number is worse than any.
inline double worse(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}

} // namespace moesim::microbench
