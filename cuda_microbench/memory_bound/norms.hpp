#pragma once

#include "cuda_microbench/memory_bound/kernels.hpp"
#include "cuda_microbench/memory_bound/sampled_rows.hpp"

#include <algorithm>

/// The norms: their buffers, launches and references. Only for .cu files.
namespace moesim::microbench::memory_bound {

constexpr std::uint64_t norm_weight_seed = 10;
constexpr std::uint64_t inverse_rms_seed = 11;

inline DeviceBuffer<Bf16> norm_weights(const Sizes& sizes) {
  return random_buffer<Bf16>(sizes.hidden, norm_weight_seed, 0.5f, 1.5f);
}
inline double norm_weight(std::size_t column) {
  return random_element<Bf16>(norm_weight_seed, column, 0.5f, 1.5f);
}

struct RmsNorm {
  static constexpr const char* name = "rms_norm";
  static std::size_t bytes(const Sizes& sizes) {
    return 2 * sizeof(Bf16) * sizes.count() + sizeof(Bf16) * sizes.hidden +
           sizeof(float) * sizes.tokens;
  }

  explicit RmsNorm(const Sizes& shape)
      : sizes(shape), in(random_inputs(shape.count(), 1)), weight(norm_weights(shape)),
        out(shape.count()), inverse_rms(shape.tokens) {}

  void launch(cudaStream_t stream) {
    rms_norm<<<static_cast<unsigned>(sizes.tokens), sizes.row_vectors(), 0, stream>>>(
        vectors_of(in), vectors_of(weight), vectors_of(out), inverse_rms.data());
  }

  double expected_inverse(std::size_t row) const {
    double squares = 0.0;
    for (std::size_t column = 0; column < sizes.hidden; ++column)
      squares += std::pow(input(1, row * sizes.hidden + column), 2);
    return 1.0 / std::sqrt(squares / static_cast<double>(sizes.hidden) + norm_epsilon);
  }

  Errors errors() const {
    Errors errors;
    errors.bf16 = rows_error(out, sizes.hidden, [&](std::size_t row) {
      return [&, row, inverse = expected_inverse(row)](std::size_t column) {
        const double x = input(1, row * sizes.hidden + column);
        return single(x * inverse * norm_weight(column));
      };
    });
    errors.fp32 = elements_error(inverse_rms, 1,
                                 [&](std::size_t row) { return single(expected_inverse(row)); });
    return errors;
  }

  Sizes sizes;
  DeviceBuffer<Bf16> in;
  DeviceBuffer<Bf16> weight;
  DeviceBuffer<Bf16> out;
  DeviceBuffer<float> inverse_rms;
};

/// The gradient of the input, and that of the weight as one row of sums for each block: their last
/// sum, over the blocks, is not in the time.
struct RmsNormBackward {
  static constexpr const char* name = "rms_norm_backward";
  static std::size_t bytes(const Sizes& sizes) {
    return 3 * sizeof(Bf16) * sizes.count() + sizeof(Bf16) * sizes.hidden +
           sizeof(float) * (sizes.tokens + blocks(sizes) * sizes.hidden);
  }
  /// Few enough that blocks keep a GPU of some hundred multiprocessors busy, and many enough that
  /// the sums are few.
  static std::size_t rows(const Sizes& sizes) {
    return std::clamp<std::size_t>(sizes.tokens / 512, 4, 64);
  }
  static std::size_t blocks(const Sizes& sizes) { return sizes.tokens / rows(sizes); }

  explicit RmsNormBackward(const Sizes& shape)
      : sizes(shape), in(random_inputs(shape.count(), 1)), weight(norm_weights(shape)),
        inverse_rms(random_buffer<float>(shape.tokens, inverse_rms_seed, 0.5f, 1.5f)),
        out_gradient(random_inputs(shape.count(), 2)), in_gradient(shape.count()),
        weight_gradients(blocks(shape) * shape.hidden) {}

  void launch(cudaStream_t stream) {
    rms_norm_backward<<<static_cast<unsigned>(blocks(sizes)), sizes.row_vectors(), 0, stream>>>(
        vectors_of(in), vectors_of(weight), inverse_rms.data(), vectors_of(out_gradient),
        vectors_of(in_gradient), reinterpret_cast<float4*>(weight_gradients.data()),
        static_cast<int>(rows(sizes)));
  }

  static double inverse(std::size_t row) {
    return random_element<float>(inverse_rms_seed, row, 0.5f, 1.5f);
  }

  /// The mean of weight g x over a row.
  Value expected_mean(std::size_t row) const {
    Value mean{0.0, 0.0};
    for (std::size_t column = 0; column < sizes.hidden; ++column) {
      const std::size_t place = row * sizes.hidden + column;
      const double term = norm_weight(column) * input(2, place) * input(1, place);
      mean.value += term / static_cast<double>(sizes.hidden);
      mean.scale += std::fabs(term) / static_cast<double>(sizes.hidden);
    }
    return mean;
  }

  Errors errors() const {
    Errors errors;
    errors.bf16 = rows_error(in_gradient, sizes.hidden, [&](std::size_t row) {
      return [&, row, mean = expected_mean(row)](std::size_t column) {
        const std::size_t place = row * sizes.hidden + column;
        const double direct = inverse(row) * norm_weight(column) * input(2, place);
        const double factor = input(1, place) * std::pow(inverse(row), 3);
        return Value{direct - factor * mean.value,
                     std::fabs(direct) + std::fabs(factor) * mean.scale};
      };
    });
    errors.fp32 = elements_error(weight_gradients, sizes.hidden, [&](std::size_t place) {
      const std::size_t block = place / sizes.hidden;
      Value sum{0.0, 0.0};
      for (std::size_t row = block * rows(sizes); row < (block + 1) * rows(sizes); ++row) {
        const std::size_t source = row * sizes.hidden + place % sizes.hidden;
        const double term = input(2, source) * input(1, source) * inverse(row);
        sum.value += term;
        sum.scale += std::fabs(term);
      }
      return sum;
    });
    return errors;
  }

  Sizes sizes;
  DeviceBuffer<Bf16> in;
  DeviceBuffer<Bf16> weight;
  DeviceBuffer<float> inverse_rms;
  DeviceBuffer<Bf16> out_gradient;
  DeviceBuffer<Bf16> in_gradient;
  DeviceBuffer<float> weight_gradients;
};

} // namespace moesim::microbench::memory_bound
