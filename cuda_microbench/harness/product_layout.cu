#include "cuda_microbench/harness/product_layout.hpp"

namespace moesim::microbench {

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

const char* name_of(Accumulate accumulate) {
  return accumulate == Accumulate::none ? "none" : "fp32";
}

// The call computes the transposed result:
//   forward          y^T = w * x^T        n x tokens = (w: transposed)(x: as it is), sum over k
//   data gradient    x^T = w^T * y^T      k x tokens = (w: as it is)(y: as it is), sum over n
//   weight gradient  w^T = x^T * y        k x n = (x: as it is)(y: transposed), sum over tokens
ProductLayout pass_layout(Pass pass, std::int64_t tokens, std::int64_t n, std::int64_t k) {
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

ProductLayout inner_layout(Pass pass, std::int64_t tokens, std::int64_t n, std::int64_t k) {
  ProductLayout layout = pass_layout(pass, tokens, n, k);
  layout.transpose_a = CUBLAS_OP_T;
  layout.transpose_b = CUBLAS_OP_N;
  layout.a_step = layout.k;
  layout.b_step = layout.k;
  return layout;
}

} // namespace moesim::microbench
