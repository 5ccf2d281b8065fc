#pragma once

#include "cuda_microbench/harness/device_buffer.hpp"
#include "cuda_microbench/harness/linear_product.hpp"
#include "cuda_microbench/harness/sampled_error.hpp"

/// The products of several experts at once. Only for .cu files.
namespace moesim::microbench {

/// What is computed of an expert's layer y = x * w^T, with a weight w of n x k.
enum class Pass {
  forward,        ///< y = x * w^T
  data_gradient,  ///< x = y * w, where x and y stand for their gradients
  weight_gradient ///< w = y^T * x, where w and y stand for their gradients
};

/// "forward", "data_gradient" or "weight_gradient", as in the CSV files.
const char* name_of(Pass pass);

/// The matrices of one expert, row-major without gaps: x is tokens x k, w n x k, y tokens x n.
template <class T> struct ExpertMatrices {
  T* x = nullptr;
  T* w = nullptr;
  __nv_bfloat16* y = nullptr;
  std::int64_t tokens = 0;
};

/// What the forward pass of one expert computes, to be checked; `factor` is that of its scales.
template <class T>
SampledProduct<T> forward_product(const ExpertMatrices<T>& expert, std::int64_t n, std::int64_t k,
                                  double factor) {
  return {.left = expert.x,
          .left_row_step = k,
          .left_inner_step = 1,
          .right = expert.w,
          .right_row_step = k,
          .right_inner_step = 1,
          .out = expert.y,
          .rows = expert.tokens,
          .columns = n,
          .inner = k,
          .factor = factor};
}

/// What a pass of one expert computes in bf16, to be checked.
SampledProduct<__nv_bfloat16> pass_product(Pass pass, const ExpertMatrices<__nv_bfloat16>& expert,
                                           std::int64_t n, std::int64_t k);

/// One pass of several experts in bf16, with fp32 sums, as one call of cuBLAS.
class GroupedProduct {
public:
  using Experts = std::vector<ExpertMatrices<__nv_bfloat16>>;

  /// Prepares the pass. Each expert has at least one token; matrices start at multiples of 16 bytes
  /// and do not overlap.
  GroupedProduct(Pass pass, const Experts& experts, std::int64_t n, std::int64_t k);

  /// Enqueues the call; its status. CUBLAS_STATUS_NOT_SUPPORTED before cuBLAS 12.5.
  cublasStatus_t enqueue(cublasHandle_t handle, cudaStream_t stream) const;

private:
  /// The arguments of a call for one expert, column-major: c (m x n) = op(a) * op(b).
  struct Arguments {
    cublasOperation_t transpose_a;
    cublasOperation_t transpose_b;
    std::int64_t m;
    std::int64_t n;
    std::int64_t k;
    std::int64_t a_step; ///< leading dimensions, in elements
    std::int64_t b_step;
    std::int64_t c_step;
  };
  static Arguments arguments_of(Pass pass, std::int64_t tokens, std::int64_t n, std::int64_t k);
  void append(const Arguments& arguments);

  std::vector<cublasOperation_t> transposes_a_, transposes_b_;
  std::vector<int> m_, n_, k_, a_steps_, b_steps_, c_steps_, group_sizes_;
  std::vector<float> alphas_, betas_;
  DeviceBuffer<const void*> a_; ///< the matrices' addresses: cuBLAS wants them on the device
  DeviceBuffer<const void*> b_;
  DeviceBuffer<void*> c_;
};

} // namespace moesim::microbench
