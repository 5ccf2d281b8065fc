#include "cuda_microbench/harness/grouped_product.hpp"

namespace moesim::microbench {

namespace {

/// The addresses of one matrix of all experts, on the device.
template <class Address, class Matrix>
DeviceBuffer<Address> addresses(const GroupedProduct::Experts& experts, Matrix matrix) {
  std::vector<Address> all;
  for (const ExpertProduct<__nv_bfloat16>& expert : experts)
    all.push_back(expert.*matrix);
  return DeviceBuffer<Address>(all);
}

} // namespace

GroupedProduct::GroupedProduct(const Experts& experts, Accumulate accumulate)
    : result_type_(accumulate == Accumulate::none ? CUDA_R_16BF : CUDA_R_32F),
      a_(addresses<const void*>(experts, &ExpertProduct<__nv_bfloat16>::a)),
      b_(addresses<const void*>(experts, &ExpertProduct<__nv_bfloat16>::b)),
      c_(addresses<void*>(experts, &ExpertProduct<__nv_bfloat16>::c)) {
  for (const ExpertProduct<__nv_bfloat16>& expert : experts)
    append(expert.layout, accumulate == Accumulate::none ? 0.0f : 1.0f);
}

void GroupedProduct::append(const ProductLayout& layout, float beta) {
  transposes_a_.push_back(layout.transpose_a);
  transposes_b_.push_back(layout.transpose_b);
  m_.push_back(static_cast<int>(layout.m));
  n_.push_back(static_cast<int>(layout.n));
  k_.push_back(static_cast<int>(layout.k));
  a_steps_.push_back(static_cast<int>(layout.a_step));
  b_steps_.push_back(static_cast<int>(layout.b_step));
  c_steps_.push_back(static_cast<int>(layout.c_step));
  group_sizes_.push_back(1);
  alphas_.push_back(1.0f);
  betas_.push_back(beta);
}

cublasStatus_t GroupedProduct::enqueue([[maybe_unused]] cublasHandle_t handle,
                                       [[maybe_unused]] cudaStream_t stream) const {
#if CUBLAS_VERSION >= 120500
  const cublasStatus_t status = cublasSetStream(handle, stream);
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  return cublasGemmGroupedBatchedEx(
      handle, transposes_a_.data(), transposes_b_.data(), m_.data(), n_.data(), k_.data(),
      alphas_.data(), a_.data(), CUDA_R_16BF, a_steps_.data(), b_.data(), CUDA_R_16BF,
      b_steps_.data(), betas_.data(), c_.data(), result_type_, c_steps_.data(),
      static_cast<int>(group_sizes_.size()), group_sizes_.data(), CUBLAS_COMPUTE_32F);
#else
  return CUBLAS_STATUS_NOT_SUPPORTED;
#endif
}

} // namespace moesim::microbench
