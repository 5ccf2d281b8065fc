#pragma once

#include "cuda_microbench/harness/product_layout.hpp"

#include <vector>

/// The products of several experts at once. Only for .cu files.
namespace moesim::microbench {

/// The product of one expert, and where its matrices start.
template <class T> struct ExpertProduct {
  ProductLayout layout;
  const T* a = nullptr;
  const T* b = nullptr;
  void* c = nullptr; ///< bf16, or fp32 that is added to
};

/// One pass of several experts in bf16, with fp32 sums, as one call of cuBLAS.
class GroupedProduct {
public:
  using Experts = std::vector<ExpertProduct<__nv_bfloat16>>;

  /// Prepares the call. Each expert has at least one token; matrices start at multiples of 16 bytes
  /// and do not overlap.
  GroupedProduct(const Experts& experts, Accumulate accumulate);

  /// Enqueues the call; its status. CUBLAS_STATUS_NOT_SUPPORTED before cuBLAS 12.5.
  cublasStatus_t enqueue(cublasHandle_t handle, cudaStream_t stream) const;

private:
  void append(const ProductLayout& layout, float beta);

  cudaDataType_t result_type_;
  std::vector<cublasOperation_t> transposes_a_, transposes_b_;
  std::vector<int> m_, n_, k_, a_steps_, b_steps_, c_steps_, group_sizes_;
  std::vector<float> alphas_, betas_;
  DeviceBuffer<const void*> a_; ///< the matrices' addresses: cuBLAS wants them on the device
  DeviceBuffer<const void*> b_;
  DeviceBuffer<void*> c_;
};

} // namespace moesim::microbench
