#pragma once

#include "cuda_microbench/core/results.hpp"
#include "cuda_microbench/harness/grouped_product.hpp"
#include "cuda_microbench/harness/linear_product.hpp"

#include <algorithm>
#include <vector>

/// The matrices of products, and the check of their results. Only for .cu files.
namespace moesim::microbench {

/// The matrices of one or several products, those of one behind those of another, operands of T
/// random over [-1, 1).
template <class T> class ProductMemory {
public:
  ProductMemory(const std::vector<ProductLayout>& layouts, Accumulate accumulate)
      : layouts_(layouts), accumulate_(accumulate),
        a_(random_buffer<T>(sum(&ProductLayout::a_elements), seed_a, -1.0f, 1.0f)),
        b_(random_buffer<T>(sum(&ProductLayout::b_elements), seed_b, -1.0f, 1.0f)),
        overwritten_(accumulate == Accumulate::none ? sum(&ProductLayout::c_elements) : 0),
        added_to_(random_buffer<float>(
            accumulate == Accumulate::none ? 0 : sum(&ProductLayout::c_elements), old_value_seed,
            -1.0f, 1.0f)) {
    if (accumulate == Accumulate::none)
      fill_with_nan(overwritten_);
  }

  std::vector<ExpertProduct<T>> products() {
    std::vector<ExpertProduct<T>> all;
    const T* a = a_.data();
    const T* b = b_.data();
    std::size_t c = 0;
    for (const ProductLayout& layout : layouts_) {
      all.push_back({layout, a, b, result(c)});
      a += layout.a_elements();
      b += layout.b_elements();
      c += layout.c_elements();
    }
    return all;
  }

  /// The largest error of sampled elements after the first run; `factor` is that of the scales.
  double error(double factor) {
    std::vector<SampledProduct<T>> sampled;
    std::size_t c = 0;
    for (const ExpertProduct<T>& one : products()) {
      sampled.push_back(sampled_product(one.layout, accumulate_, one.a, one.b, one.c, c, factor));
      c += one.layout.c_elements();
    }
    const auto count = static_cast<unsigned>(sampled.size());
    return sampled_error(sampled, std::max(samples_min, samples_max / count));
  }

  /// FLOPs of all products, and the bytes of their matrices: results that are added to are read and
  /// written.
  Work work() const {
    double flops = 0.0;
    for (const ProductLayout& layout : layouts_)
      flops += 2.0 * static_cast<double>(layout.m) * static_cast<double>(layout.n * layout.k);
    return {flops, static_cast<double>(a_.bytes() + b_.bytes() + overwritten_.bytes() +
                                       2 * added_to_.bytes())};
  }

private:
  static constexpr unsigned samples_max = 512; // elements that are checked of all together
  static constexpr unsigned samples_min = 8;   // of each product
  static constexpr std::uint64_t seed_a = 21;
  static constexpr std::uint64_t seed_b = 22;

  std::size_t sum(std::size_t (ProductLayout::*elements)() const) const {
    std::size_t all = 0;
    for (const ProductLayout& layout : layouts_)
      all += (layout.*elements)();
    return all;
  }
  void* result(std::size_t first) {
    if (accumulate_ == Accumulate::none)
      return overwritten_.data() + first;
    return added_to_.data() + first;
  }

  std::vector<ProductLayout> layouts_;
  Accumulate accumulate_;
  DeviceBuffer<T> a_;
  DeviceBuffer<T> b_;
  DeviceBuffer<__nv_bfloat16> overwritten_; ///< the results; empty if they are added to
  DeviceBuffer<float> added_to_;            ///< the results; empty if they are overwritten
};

/// The tolerance of ProductMemory::error.
inline double tolerance_of(Operands operands) {
  return operands == Operands::bf16 ? bf16_tolerance : fp8_tolerance;
}

} // namespace moesim::microbench
