#include "cuda_microbench/harness/grouped_product.hpp"

namespace moesim::microbench {

namespace {

using Matrix = __nv_bfloat16* ExpertMatrices<__nv_bfloat16>::*;

/// Which matrices of an expert are the first and second operand and the result of a call.
struct Roles {
  Matrix a;
  Matrix b;
  Matrix c;
};

Roles roles_of(Pass pass) {
  using Expert = ExpertMatrices<__nv_bfloat16>;
  switch (pass) {
  case Pass::forward:
    return {&Expert::w, &Expert::x, &Expert::y};
  case Pass::data_gradient:
    return {&Expert::w, &Expert::y, &Expert::x};
  case Pass::weight_gradient:
    return {&Expert::x, &Expert::y, &Expert::w};
  }
  throw std::logic_error("no such pass");
}

/// The addresses of one matrix of all experts, on the device.
template <class Address>
DeviceBuffer<Address> addresses(const GroupedProduct::Experts& experts, Matrix matrix) {
  std::vector<Address> all;
  for (const ExpertMatrices<__nv_bfloat16>& expert : experts)
    all.push_back(expert.*matrix);
  return DeviceBuffer<Address>(all);
}

} // namespace

const char* name_of(Pass pass) {
  switch (pass) {
  case Pass::forward:
    return "forward";
  case Pass::data_gradient:
    return "data_gradient";
  case Pass::weight_gradient:
    return "weight_gradient";
  }
  throw std::logic_error("no such pass");
}

SampledProduct<__nv_bfloat16> pass_product(Pass pass, const ExpertMatrices<__nv_bfloat16>& expert,
                                           std::int64_t n, std::int64_t k) {
  if (pass == Pass::forward)
    return forward_product(expert, n, k, 1.0);
  if (pass == Pass::data_gradient)
    return {.left = expert.y, // x(r, c) = sum over i of y(r, i) * w(i, c)
            .left_row_step = n,
            .left_inner_step = 1,
            .right = expert.w,
            .right_row_step = 1,
            .right_inner_step = k,
            .out = expert.x,
            .rows = expert.tokens,
            .columns = k,
            .inner = n};
  return {.left = expert.y, // w(r, c) = sum over i of y(i, r) * x(i, c)
          .left_row_step = 1,
          .left_inner_step = n,
          .right = expert.x,
          .right_row_step = 1,
          .right_inner_step = k,
          .out = expert.w,
          .rows = n,
          .columns = k,
          .inner = expert.tokens};
}

// A row-major matrix is, column-major, its transpose, with its row length as leading dimension: x
// is k x tokens, w k x n, y n x tokens. So the call computes the transposed result:
//   forward          y^T = w * x^T        n x tokens = (w: transposed)(x: as it is), sum over k
//   data gradient    x^T = w^T * y^T      k x tokens = (w: as it is)(y: as it is), sum over n
//   weight gradient  w^T = x^T * y        k x n = (x: as it is)(y: transposed), sum over tokens
GroupedProduct::Arguments GroupedProduct::arguments_of(Pass pass, std::int64_t tokens,
                                                       std::int64_t n, std::int64_t k) {
  switch (pass) {
  case Pass::forward:
    return {CUBLAS_OP_T, CUBLAS_OP_N, n, tokens, k, k, k, n};
  case Pass::data_gradient:
    return {CUBLAS_OP_N, CUBLAS_OP_N, k, tokens, n, k, n, k};
  case Pass::weight_gradient:
    return {CUBLAS_OP_N, CUBLAS_OP_T, k, n, tokens, k, n, k};
  }
  throw std::logic_error("no such pass");
}

void GroupedProduct::append(const Arguments& arguments) {
  transposes_a_.push_back(arguments.transpose_a);
  transposes_b_.push_back(arguments.transpose_b);
  m_.push_back(static_cast<int>(arguments.m));
  n_.push_back(static_cast<int>(arguments.n));
  k_.push_back(static_cast<int>(arguments.k));
  a_steps_.push_back(static_cast<int>(arguments.a_step));
  b_steps_.push_back(static_cast<int>(arguments.b_step));
  c_steps_.push_back(static_cast<int>(arguments.c_step));
  group_sizes_.push_back(1);
  alphas_.push_back(1.0f);
  betas_.push_back(0.0f);
}

GroupedProduct::GroupedProduct(Pass pass, const Experts& experts, std::int64_t n, std::int64_t k)
    : a_(addresses<const void*>(experts, roles_of(pass).a)),
      b_(addresses<const void*>(experts, roles_of(pass).b)),
      c_(addresses<void*>(experts, roles_of(pass).c)) {
  for (const ExpertMatrices<__nv_bfloat16>& expert : experts)
    append(arguments_of(pass, expert.tokens, n, k));
}

cublasStatus_t GroupedProduct::enqueue([[maybe_unused]] cublasHandle_t handle,
                                       [[maybe_unused]] cudaStream_t stream) const {
#if CUBLAS_VER_MAJOR > 12 || (CUBLAS_VER_MAJOR == 12 && CUBLAS_VER_MINOR >= 5)
  const cublasStatus_t status = cublasSetStream(handle, stream);
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  return cublasGemmGroupedBatchedEx(
      handle, transposes_a_.data(), transposes_b_.data(), m_.data(), n_.data(), k_.data(),
      alphas_.data(), a_.data(), CUDA_R_16BF, a_steps_.data(), b_.data(), CUDA_R_16BF,
      b_steps_.data(), betas_.data(), c_.data(), CUDA_R_16BF, c_steps_.data(),
      static_cast<int>(group_sizes_.size()), group_sizes_.data(), CUBLAS_COMPUTE_32F);
#else
  return CUBLAS_STATUS_NOT_SUPPORTED;
#endif
}

} // namespace moesim::microbench
