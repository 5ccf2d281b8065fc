#pragma once

#include "cuda_microbench/harness/device_buffer.hpp"

#include <cmath>
#include <limits>

/// Checks matrix products on sampled elements, in double. Only for .cu files: it holds a kernel.
namespace moesim::microbench {

/// A matrix product that was computed, with operands as it had them, already rounded to T:
/// out(r, c) = factor * sum over i of left(r, i) * right(c, i). The steps, in elements, tell where
/// an operand's next row and next `inner` element are; `out` is rows x columns, row-major.
template <class T> struct SampledProduct {
  const T* left = nullptr;
  std::int64_t left_row_step = 0;
  std::int64_t left_inner_step = 0;
  const T* right = nullptr;
  std::int64_t right_row_step = 0;
  std::int64_t right_inner_step = 0;
  const __nv_bfloat16* out = nullptr;
  const float* sum = nullptr; ///< the result in the place of `out`: it was added to an old value
  std::uint64_t old_seed = 0; ///< element i of it was random_value(old_seed, old_first + i, -1, 1)
  std::uint64_t old_first = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t inner = 0;
  double factor = 1.0;
};

/// How far `out` is from sum `exact`, in units of `deviation` = sqrt(sum of the squared products),
/// the sum's standard deviation over random signs. What the rounding of the output to bf16 may add,
/// 2^-8 of the sum (half a unit of its 8 significant bits), is taken off. NaN if `out` is no
/// number.
__host__ __device__ inline double relative_excess(double out, double exact, double deviation) {
  const double difference = fabs(out - exact);
  const double rounding = 0x1p-8 * fabs(exact);
  return difference <= rounding ? 0.0 : (difference - rounding) / deviation;
}

/// relative_excess of the result at `place`, whose product is `exact`.
template <class T>
__device__ double result_error(const SampledProduct<T>& product, std::int64_t place, double exact,
                               double deviation) {
  if (product.sum == nullptr)
    return relative_excess(static_cast<float>(product.out[place]), exact, deviation);
  const double old = random_value(product.old_seed, product.old_first + place, -1.0f, 1.0f);
  return fabs(product.sum[place] - (old + exact)) / deviation;
}

constexpr unsigned sample_threads = 128; // of a block, which computes one sampled element

/// The error of `samples` elements of each product: both corners, then random places.
template <class T>
__global__ void sample_errors(const SampledProduct<T>* products, unsigned samples,
                              std::uint64_t seed, double* errors) {
  const SampledProduct<T> product = products[blockIdx.x / samples];
  const unsigned sample = blockIdx.x % samples;
  const std::uint64_t bits = hash_counter(seed, blockIdx.x);
  std::int64_t row = static_cast<std::int64_t>((bits >> 32) % product.rows);
  std::int64_t column = static_cast<std::int64_t>((bits & 0xFFFFFFFFu) % product.columns);
  if (sample < 2) {
    row = sample == 0 ? 0 : product.rows - 1;
    column = sample == 0 ? 0 : product.columns - 1;
  }
  const T* left = product.left + row * product.left_row_step;
  const T* right = product.right + column * product.right_row_step;
  double sum = 0.0;
  double squares = 0.0;
  for (std::int64_t i = threadIdx.x; i < product.inner; i += sample_threads) {
    const double term = static_cast<double>(static_cast<float>(left[i * product.left_inner_step])) *
                        static_cast<float>(right[i * product.right_inner_step]) * product.factor;
    sum += term;
    squares += term * term;
  }
  __shared__ double sums[sample_threads];
  __shared__ double square_sums[sample_threads];
  sums[threadIdx.x] = sum;
  square_sums[threadIdx.x] = squares;
  __syncthreads();
  if (threadIdx.x != 0)
    return;
  for (unsigned other = 1; other < sample_threads; ++other) {
    sum += sums[other];
    squares += square_sums[other];
  }
  const std::int64_t place = row * product.columns + column;
  errors[blockIdx.x] = result_error(product, place, sum, sqrt(squares));
}

/// The largest relative_excess of `samples` elements of each product; NaN if one is no number.
/// Waits for the work before on blocking streams.
template <class T>
double sampled_error(const std::vector<SampledProduct<T>>& products, unsigned samples) {
  constexpr std::uint64_t seed = 7;
  const DeviceBuffer<SampledProduct<T>> on_device(products);
  DeviceBuffer<double> errors(products.size() * samples);
  sample_errors<<<static_cast<unsigned>(errors.size()), sample_threads>>>(on_device.data(), samples,
                                                                          seed, errors.data());
  CUDA_CALL(cudaGetLastError());
  double worst = 0.0;
  for (const double error : errors.download()) {
    if (std::isnan(error))
      return std::numeric_limits<double>::quiet_NaN();
    worst = std::fmax(worst, error);
  }
  return worst;
}

/// Fills a result's memory with NaN, so that an element which is not written does not look right.
inline void fill_with_nan(DeviceBuffer<__nv_bfloat16>& buffer) {
  CUDA_CALL(cudaMemset(buffer.data(), 0xFF, buffer.bytes()));
}

/// Tolerance of relative_excess for bf16 operands. Their products are exact in fp32, and a chain of
/// 2^15 additions, each wrong by at most 2^-23 of a partial sum of four deviations, is wrong by
/// 2^-6; the rest is for partial sums that a split product rounds to bf16. An element of a wrong
/// layout, or one left out, is wrong by about 1.
constexpr double bf16_tolerance = 0x1p-5;

/// Tolerance of relative_excess for fp8 operands. With fast accumulation the tensor cores of Hopper
/// keep about 14 bits of a partial sum, which costs up to 2 % at 4096 products (DeepSeek-V3,
/// arXiv 2412.19437, section 3.3.2). The error grows with the number of additions, here up to 4.5
/// times as many: 9 % of a sum, which is up to four deviations at some sampled place.
constexpr double fp8_tolerance = 0x1p-1;

} // namespace moesim::microbench
