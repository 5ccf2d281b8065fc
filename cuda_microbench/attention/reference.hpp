#pragma once

#include "cuda_microbench/attention/shape.hpp"
#include "cuda_microbench/harness/sampled_error.hpp"

#include <cmath>

/// Attention in double on sampled places, on the device. Only for .cu files.
namespace moesim::microbench::attention {

constexpr unsigned reference_threads = 128; // of a block, which checks one sampled row
constexpr unsigned samples = 24;            // rows of queries, and rows of keys
/// The first query that is checked: of one that sees a key alone all gradients are differences of
/// equal numbers.
constexpr std::int64_t query_min = 32;

/// The largest errors: of the stats absolute, of matrices in units of the deviation of the sum over
/// random signs (relative_excess).
struct Errors {
  double stats;
  double output;
  double q_gradient;
  double k_gradient;
  double v_gradient;
};

/// Where a head's rows start, and how far they are apart.
struct Rows {
  const __nv_bfloat16* first;
  std::int64_t step;

  __device__ double at(std::int64_t row, std::int64_t column) const {
    return static_cast<double>(static_cast<float>(first[row * step + column]));
  }
};

inline __device__ Rows rows_of(const Shape& shape, const __nv_bfloat16* matrix, std::int64_t batch,
                               std::int64_t heads, std::int64_t head, std::int64_t dim) {
  return {matrix + (batch * shape.sequence * heads + head) * dim, heads * dim};
}

inline __device__ double product(const Rows& a, std::int64_t a_row, const Rows& b,
                                 std::int64_t b_row, std::int64_t dim) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < dim; ++i)
    sum += a.at(a_row, i) * b.at(b_row, i);
  return sum;
}

/// Keeps the largest of errors; one that is no number is larger than any.
inline __device__ void keep_worst(double* worst, double error) {
  const double kept = isnan(error) ? INFINITY : error;
  atomicMax(reinterpret_cast<unsigned long long*>(worst),
            static_cast<unsigned long long>(__double_as_longlong(kept)));
}

/// One head's matrices. A query head shares keys and values with others.
struct Head {
  Rows q, k, v, o, o_gradient;
  const float* stats;
  std::int64_t head_dim;
  std::int64_t value_dim;

  __device__ Head(const Shape& shape, const Matrices<__nv_bfloat16>& m, std::int64_t batch,
                  std::int64_t head)
      : q(rows_of(shape, m.q, batch, shape.q_heads, head, shape.head_dim)),
        k(rows_of(shape, m.k, batch, shape.kv_heads, head / (shape.q_heads / shape.kv_heads),
                  shape.head_dim)),
        v(rows_of(shape, m.v, batch, shape.kv_heads, head / (shape.q_heads / shape.kv_heads),
                  shape.value_dim)),
        o(rows_of(shape, m.o, batch, shape.q_heads, head, shape.value_dim)),
        o_gradient(rows_of(shape, m.o_gradient, batch, shape.q_heads, head, shape.value_dim)),
        stats(m.stats + (batch * shape.q_heads + head) * shape.sequence), head_dim(shape.head_dim),
        value_dim(shape.value_dim) {}

  __device__ double score(std::int64_t query, std::int64_t key) const {
    return product(q, query, k, key, head_dim) / sqrt(static_cast<double>(head_dim));
  }
  /// The gradient of a score, from its weight.
  __device__ double score_gradient(std::int64_t query, std::int64_t key, double weight) const {
    return weight * (product(o_gradient, query, v, key, value_dim) -
                     product(o_gradient, query, o, query, value_dim));
  }
};

/// The error of row `row` of a result: out(row, c) = sum over i < count of factors[i] * right(i,
/// c).
inline __device__ void check_row(const Rows& out, std::int64_t row, std::int64_t dim,
                                 const double* factors, const Rows& right, std::int64_t count,
                                 double* worst) {
  for (std::int64_t c = threadIdx.x; c < dim; c += reference_threads) {
    double sum = 0.0;
    double squares = 0.0;
    for (std::int64_t i = 0; i < count; ++i) {
      const double term = factors[i] * right.at(i, c);
      sum += term;
      squares += term * term;
    }
    keep_worst(worst, relative_excess(out.at(row, c), sum, sqrt(squares)));
  }
}

/// One block checks one row of queries: the stats, the output, and backward the query's gradient.
/// `scratch` has two doubles a token for each block.
static __global__ void check_queries(Shape shape, Matrices<__nv_bfloat16> m, bool backward,
                                     double* scratch, Errors* errors) {
  const std::uint64_t bits = hash_counter(31, blockIdx.x);
  const std::int64_t query =
      query_min + static_cast<std::int64_t>((bits >> 32) % (shape.sequence - query_min));
  const auto head = static_cast<std::int64_t>((bits & 0xFFFF) % shape.q_heads);
  const auto batch = static_cast<std::int64_t>((bits >> 16 & 0xFFFF) % shape.batch);
  const Head own(shape, m, batch, head);
  double* weights = scratch + 2 * shape.sequence * blockIdx.x;
  double* gradients = weights + shape.sequence;
  for (std::int64_t key = threadIdx.x; key <= query; key += reference_threads)
    weights[key] = own.score(query, key);
  __syncthreads();
  double largest = -INFINITY;
  double total = 0.0;
  for (std::int64_t key = 0; key <= query; ++key)
    largest = fmax(largest, weights[key]);
  for (std::int64_t key = 0; key <= query; ++key)
    total += exp(weights[key] - largest);
  const double stat = largest + log(total);
  if (threadIdx.x == 0)
    keep_worst(&errors->stats, fabs(own.stats[query] - stat));
  __syncthreads();
  for (std::int64_t key = threadIdx.x; key <= query; key += reference_threads) {
    weights[key] = exp(weights[key] - stat);
    if (backward)
      gradients[key] =
          own.score_gradient(query, key, weights[key]) / sqrt(static_cast<double>(shape.head_dim));
  }
  __syncthreads();
  check_row(own.o, query, shape.value_dim, weights, own.v, query + 1, &errors->output);
  if (backward)
    check_row(rows_of(shape, m.q_gradient, batch, shape.q_heads, head, shape.head_dim), query,
              shape.head_dim, gradients, own.k, query + 1, &errors->q_gradient);
}

/// One block checks one row of keys and values, summed over the query heads that share them, with
/// the stats of the forward pass, which check_queries has checked.
static __global__ void check_keys(Shape shape, Matrices<__nv_bfloat16> m, double* scratch,
                                  double* sums, Errors* errors) {
  const std::uint64_t bits = hash_counter(32, blockIdx.x);
  const auto key = static_cast<std::int64_t>((bits >> 32) % shape.sequence);
  const auto head = static_cast<std::int64_t>((bits & 0xFFFF) % shape.kv_heads);
  const auto batch = static_cast<std::int64_t>((bits >> 16 & 0xFFFF) % shape.batch);
  double* weights = scratch + 2 * shape.sequence * blockIdx.x;
  double* gradients = weights + shape.sequence;
  const std::int64_t dims = shape.head_dim + shape.value_dim;
  double* own_sums = sums + 2 * dims * blockIdx.x; // sums, and sums of squares
  for (std::int64_t i = threadIdx.x; i < 2 * dims; i += reference_threads)
    own_sums[i] = 0.0;
  const std::int64_t shared = shape.q_heads / shape.kv_heads;
  for (std::int64_t q_head = head * shared; q_head < (head + 1) * shared; ++q_head) {
    const Head own(shape, m, batch, q_head);
    __syncthreads();
    for (std::int64_t query = key + threadIdx.x; query < shape.sequence;
         query += reference_threads) {
      weights[query] = exp(own.score(query, key) - own.stats[query]);
      gradients[query] = own.score_gradient(query, key, weights[query]) /
                         sqrt(static_cast<double>(shape.head_dim));
    }
    __syncthreads();
    for (std::int64_t c = threadIdx.x; c < dims; c += reference_threads)
      for (std::int64_t query = key; query < shape.sequence; ++query) {
        const double term = c < shape.head_dim
                                ? gradients[query] * own.q.at(query, c)
                                : weights[query] * own.o_gradient.at(query, c - shape.head_dim);
        own_sums[2 * c] += term;
        own_sums[2 * c + 1] += term * term;
      }
  }
  const Rows k = rows_of(shape, m.k_gradient, batch, shape.kv_heads, head, shape.head_dim);
  const Rows v = rows_of(shape, m.v_gradient, batch, shape.kv_heads, head, shape.value_dim);
  for (std::int64_t c = threadIdx.x; c < dims; c += reference_threads) {
    const bool is_key = c < shape.head_dim;
    const double out = is_key ? k.at(key, c) : v.at(key, c - shape.head_dim);
    keep_worst(is_key ? &errors->k_gradient : &errors->v_gradient,
               relative_excess(out, own_sums[2 * c], sqrt(own_sums[2 * c + 1])));
  }
}

/// The largest errors of sampled rows of what a pass has computed.
inline Errors errors_of(const Shape& shape, const Matrices<__nv_bfloat16>& matrices,
                        bool backward) {
  DeviceBuffer<double> scratch(2 * samples * static_cast<std::size_t>(shape.sequence));
  DeviceBuffer<double> sums(2 * samples *
                            static_cast<std::size_t>(shape.head_dim + shape.value_dim));
  DeviceBuffer<Errors> errors(1);
  errors.clear();
  check_queries<<<samples, reference_threads>>>(shape, matrices, backward, scratch.data(),
                                                errors.data());
  CUDA_CALL(cudaGetLastError());
  if (backward)
    check_keys<<<samples, reference_threads>>>(shape, matrices, scratch.data(), sums.data(),
                                               errors.data());
  CUDA_CALL(cudaGetLastError());
  return errors.download().front();
}

} // namespace moesim::microbench::attention
