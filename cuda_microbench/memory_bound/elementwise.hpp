#pragma once

#include "cuda_microbench/memory_bound/kernels.hpp"
#include "cuda_microbench/memory_bound/sampled_rows.hpp"

#include <algorithm>

/// Operations on elements or groups of them: their buffers, launches and references. Only for .cu
/// files.
namespace moesim::microbench::memory_bound {

inline double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

struct Swiglu {
  static constexpr const char* name = "swiglu";
  static std::size_t bytes(const Sizes& sizes) { return 3 * sizeof(Bf16) * sizes.count(); }

  explicit Swiglu(const Sizes& shape)
      : sizes(shape), gates(random_inputs(shape.count(), 1)), ups(random_inputs(shape.count(), 2)),
        out(shape.count()) {}

  void launch(cudaStream_t stream) {
    swiglu<<<blocks_for(sizes.vectors()), threads, 0, stream>>>(vectors_of(gates), vectors_of(ups),
                                                                vectors_of(out));
  }

  Errors errors() const {
    return {.bf16 = elements_error(out, sizes.hidden, [](std::size_t place) {
              const double gate = input(1, place);
              return single(gate * sigmoid(gate) * input(2, place));
            })};
  }

  Sizes sizes;
  DeviceBuffer<Bf16> gates;
  DeviceBuffer<Bf16> ups;
  DeviceBuffer<Bf16> out;
};

struct SwigluBackward {
  static constexpr const char* name = "swiglu_backward";
  static std::size_t bytes(const Sizes& sizes) { return 5 * sizeof(Bf16) * sizes.count(); }

  explicit SwigluBackward(const Sizes& shape)
      : sizes(shape), gates(random_inputs(shape.count(), 1)), ups(random_inputs(shape.count(), 2)),
        out_gradients(random_inputs(shape.count(), 3)), gate_gradients(shape.count()),
        up_gradients(shape.count()) {}

  void launch(cudaStream_t stream) {
    swiglu_backward<<<blocks_for(sizes.vectors()), threads, 0, stream>>>(
        vectors_of(gates), vectors_of(ups), vectors_of(out_gradients), vectors_of(gate_gradients),
        vectors_of(up_gradients));
  }

  Errors errors() const {
    const double of_gates = elements_error(gate_gradients, sizes.hidden, [](std::size_t place) {
      const double gate = input(1, place);
      const double factor = input(3, place) * input(2, place) * sigmoid(gate);
      return single(factor * (1.0 + gate * sigmoid(-gate)));
    });
    const double of_ups = elements_error(up_gradients, sizes.hidden, [](std::size_t place) {
      const double gate = input(1, place);
      return single(input(3, place) * gate * sigmoid(gate));
    });
    return {.bf16 = worse(of_gates, of_ups)};
  }

  Sizes sizes;
  DeviceBuffer<Bf16> gates;
  DeviceBuffer<Bf16> ups;
  DeviceBuffer<Bf16> out_gradients;
  DeviceBuffer<Bf16> gate_gradients;
  DeviceBuffer<Bf16> up_gradients;
};

struct ResidualAdd {
  static constexpr const char* name = "residual_add";
  static std::size_t bytes(const Sizes& sizes) { return 3 * sizeof(Bf16) * sizes.count(); }

  explicit ResidualAdd(const Sizes& shape)
      : sizes(shape), a(random_inputs(shape.count(), 1)), b(random_inputs(shape.count(), 2)),
        out(shape.count()) {}

  void launch(cudaStream_t stream) {
    residual_add<<<blocks_for(sizes.vectors()), threads, 0, stream>>>(vectors_of(a), vectors_of(b),
                                                                      vectors_of(out));
  }

  Errors errors() const {
    return {.bf16 = elements_error(out, sizes.hidden, [](std::size_t place) {
              return Value{input(1, place) + input(2, place),
                           std::fabs(input(1, place)) + std::fabs(input(2, place))};
            })};
  }

  Sizes sizes;
  DeviceBuffer<Bf16> a;
  DeviceBuffer<Bf16> b;
  DeviceBuffer<Bf16> out;
};

struct CastFp8 {
  static constexpr const char* name = "cast_fp8";
  static std::size_t bytes(const Sizes& sizes) {
    return (sizeof(Bf16) + sizeof(__nv_fp8_e4m3)) * sizes.count() +
           sizeof(float) * sizes.count() / values_per_scale;
  }

  explicit CastFp8(const Sizes& shape)
      : sizes(shape), in(random_inputs(shape.count(), 1)), out(shape.count()),
        scales(shape.count() / values_per_scale) {}

  void launch(cudaStream_t stream) {
    cast_fp8<<<blocks_for(sizes.vectors() / 2), threads, 0, stream>>>(
        vectors_of(in), reinterpret_cast<uint4*>(out.data()), scales.data());
  }

  /// The scale of the 128 values that `place` is one of.
  static double expected_scale(std::size_t place) {
    const std::size_t first = place / values_per_scale * values_per_scale;
    double largest = 0.0;
    for (std::size_t i = 0; i < values_per_scale; ++i)
      largest = std::max(largest, std::fabs(input(1, first + i)));
    return largest / e4m3_max;
  }

  /// Below 2^-6, the smallest normal e4m3, the units are those of 2^-6.
  Errors errors() const {
    Errors errors;
    errors.fp8 = elements_error(out, sizes.hidden, [](std::size_t place) {
      const double value = input(1, place) / expected_scale(place);
      return Value{value, std::max(std::fabs(value), 0x1p-6)};
    });
    errors.fp32 = elements_error(scales, sizes.hidden / values_per_scale, [](std::size_t group) {
      return single(expected_scale(group * values_per_scale));
    });
    return errors;
  }

  Sizes sizes;
  DeviceBuffer<Bf16> in;
  DeviceBuffer<__nv_fp8_e4m3> out;
  DeviceBuffer<float> scales;
};

/// One step of the optimiser for tokens * hidden parameters.
struct Adam {
  static constexpr const char* name = "adam";
  /// The gradient is read; weight and moments are read and written; the bf16 weight is written.
  static std::size_t bytes(const Sizes& sizes) {
    return (7 * sizeof(float) + sizeof(Bf16)) * sizes.count();
  }

  explicit Adam(const Sizes& shape)
      : sizes(shape), gradients(random_buffer<float>(shape.count(), 1, -1.0f, 1.0f)),
        masters(random_buffer<float>(shape.count(), 2, -1.0f, 1.0f)),
        means(random_buffer<float>(shape.count(), 3, -1.0f, 1.0f)),
        variances(random_buffer<float>(shape.count(), 4, 0.0f, 1.0f)), weights(shape.count()) {}

  void launch(cudaStream_t stream) {
    const AdamState state{reinterpret_cast<const float4*>(gradients.data()),
                          reinterpret_cast<float4*>(masters.data()),
                          reinterpret_cast<float4*>(means.data()),
                          reinterpret_cast<float4*>(variances.data()), vectors_of(weights)};
    adam<<<blocks_for(sizes.vectors()), threads, 0, stream>>>(state);
  }

  static double initial(std::uint64_t seed, std::size_t place) {
    return random_element<float>(seed, place, -1.0f, 1.0f);
  }
  static Value expected_mean(std::size_t place) {
    const double old = beta_1 * initial(3, place);
    const double added = (1.0 - beta_1) * initial(1, place);
    return {old + added, std::fabs(old) + std::fabs(added)};
  }
  static Value expected_variance(std::size_t place) {
    return single(beta_2 * random_element<float>(4, place, 0.0f, 1.0f) +
                  (1.0 - beta_2) * std::pow(initial(1, place), 2));
  }
  static Value expected_weight(std::size_t place) {
    const double weight = initial(2, place);
    const Value mean = expected_mean(place);
    const double root = std::sqrt(expected_variance(place).value / adam_correction_2);
    const double factor = learning_rate / adam_correction_1 / (root + adam_epsilon);
    return {weight - factor * mean.value - learning_rate * weight_decay * weight,
            std::fabs(weight) + factor * mean.scale};
  }

  /// After the first step.
  Errors errors() const {
    Errors errors;
    errors.bf16 = elements_error(weights, sizes.hidden, expected_weight);
    errors.fp32 = worse(worse(elements_error(masters, sizes.hidden, expected_weight),
                              elements_error(means, sizes.hidden, expected_mean)),
                        elements_error(variances, sizes.hidden, expected_variance));
    return errors;
  }

  Sizes sizes;
  DeviceBuffer<float> gradients;
  DeviceBuffer<float> masters;
  DeviceBuffer<float> means;
  DeviceBuffer<float> variances;
  DeviceBuffer<Bf16> weights;
};

} // namespace moesim::microbench::memory_bound
