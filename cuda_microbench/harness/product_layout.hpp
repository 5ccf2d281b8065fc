#pragma once

#include "cuda_microbench/harness/sampled_error.hpp"

#include <cublas_v2.h>

/// How cuBLAS is told of the products of a linear layer. Only for .cu files.
namespace moesim::microbench {

/// The products of a layer y = x * w^T, with a weight w of n x k.
enum class Pass {
  forward,        ///< y = x * w^T
  data_gradient,  ///< x = y * w, where x and y stand for their gradients
  weight_gradient ///< w = y^T * x, where w and y stand for their gradients
};
constexpr Pass passes[] = {Pass::forward, Pass::data_gradient, Pass::weight_gradient};

/// "forward", "data_gradient" or "weight_gradient", as in the CSV files.
const char* name_of(Pass pass);

/// What becomes of a result's old value.
enum class Accumulate {
  none, ///< it is overwritten, in bf16
  fp32  ///< the product is added to it, in fp32: how weight gradients of micro-batches are summed
};

/// "none" or "fp32", as in the CSV files.
const char* name_of(Accumulate accumulate);

/// The arguments of a call, column-major: c (m x n) = op(a) * op(b), k inner elements; the steps
/// are leading dimensions, in elements. A row-major matrix is, column-major, its transpose, with
/// its row length as leading dimension.
struct ProductLayout {
  cublasOperation_t transpose_a;
  cublasOperation_t transpose_b;
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
  std::int64_t a_step;
  std::int64_t b_step;
  std::int64_t c_step;

  std::size_t a_elements() const { return static_cast<std::size_t>(m * k); }
  std::size_t b_elements() const { return static_cast<std::size_t>(n * k); }
  std::size_t c_elements() const { return static_cast<std::size_t>(m * n); }
};

/// The product of a pass for a weight of n x k, matrices row-major without gaps. Forward, a is w, b
/// is x and c is y; of the data gradient w, y and x; of the weight gradient x, y and w.
ProductLayout pass_layout(Pass pass, std::int64_t tokens, std::int64_t n, std::int64_t k);

/// The same product with both operands' inner elements in a row, as if transposed before: the one
/// layout that fp8 has on all devices.
ProductLayout inner_layout(Pass pass, std::int64_t tokens, std::int64_t n, std::int64_t k);

/// The old value of an element of a result that is added to.
constexpr std::uint64_t old_value_seed = 5;

/// What a product computes, to be checked. `c` holds values of `accumulate`'s type; if they are
/// added to, their old ones are those of random_buffer<float>(…, old_value_seed, -1, 1).
template <class T>
SampledProduct<T> sampled_product(const ProductLayout& layout, Accumulate accumulate, const T* a,
                                  const T* b, const void* c, std::size_t c_first, double factor) {
  const bool a_inner = layout.transpose_a == CUBLAS_OP_T;
  const bool b_inner = layout.transpose_b == CUBLAS_OP_N;
  SampledProduct<T> sampled{.left = b,
                            .left_row_step = b_inner ? layout.b_step : 1,
                            .left_inner_step = b_inner ? 1 : layout.b_step,
                            .right = a,
                            .right_row_step = a_inner ? layout.a_step : 1,
                            .right_inner_step = a_inner ? 1 : layout.a_step,
                            .rows = layout.n,
                            .columns = layout.m,
                            .inner = layout.k,
                            .factor = factor};
  if (accumulate == Accumulate::none) {
    sampled.out = static_cast<const __nv_bfloat16*>(c);
  } else {
    sampled.sum = static_cast<const float*>(c);
    sampled.old_seed = old_value_seed;
    sampled.old_first = c_first;
  }
  return sampled;
}

} // namespace moesim::microbench
