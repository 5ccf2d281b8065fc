#pragma once

#include "cuda_microbench/attention/shape.hpp"
#include "cuda_microbench/harness/cudnn_graph.hpp"

#include <cmath>
#include <limits>

/// Attention as graphs of cuDNN, in the order of operations by which it finds its fused kernels
/// (NVIDIA/cudnn-frontend, scaled_dot_product_flash_attention.h). Only for .cu files.
namespace moesim::microbench::attention {

using Bf16 = __nv_bfloat16;

/// The tensors of a graph that both passes have.
class AttentionGraph {
public:
  using Tensor = CudnnGraph::Tensor;

  AttentionGraph(cudnnHandle_t handle, const Shape& shape) : graph(handle), shape_(shape) {}

  /// A matrix in memory, batch by head by sequence by dimension.
  Tensor matrix(Bf16* memory, std::int64_t heads, std::int64_t dim) {
    return graph.input({shape_.batch, heads, shape_.sequence, dim},
                       {shape_.sequence * heads * dim, dim, heads * dim, 1}, CUDNN_DATA_BFLOAT16,
                       memory);
  }
  /// The same, its rows and columns exchanged.
  Tensor transposed_matrix(Bf16* memory, std::int64_t heads, std::int64_t dim) {
    return graph.input({shape_.batch, heads, dim, shape_.sequence},
                       {shape_.sequence * heads * dim, dim, 1, heads * dim}, CUDNN_DATA_BFLOAT16,
                       memory);
  }
  /// One number of each row, in memory.
  Tensor row_numbers(float* memory) {
    return graph.input({shape_.batch, shape_.q_heads, shape_.sequence, 1},
                       {shape_.q_heads * shape_.sequence, shape_.sequence, 1, 1}, CUDNN_DATA_FLOAT,
                       memory);
  }
  Tensor scores(cudnnDataType_t type = CUDNN_DATA_FLOAT) {
    return graph.inner({shape_.batch, shape_.q_heads, shape_.sequence, shape_.sequence}, type);
  }
  Tensor rows() { return graph.inner({shape_.batch, shape_.q_heads, shape_.sequence, 1}); }
  Tensor scale() { return graph.scalar(1.0f / std::sqrt(static_cast<float>(shape_.head_dim))); }

  /// Minus infinity where the key is behind the query.
  Tensor masked(const Tensor& x) {
    const Tensor row = graph.index(x, 2);
    const Tensor column = graph.index(x, 3);
    const Tensor mask =
        graph.pointwise(CUDNN_POINTWISE_CMP_GE, row, column, scores(CUDNN_DATA_BOOLEAN));
    return graph.pointwise(CUDNN_POINTWISE_BINARY_SELECT, x,
                           graph.scalar(-std::numeric_limits<float>::infinity()), scores(), mask);
  }

  CudnnGraph graph;

protected:
  Shape shape_;
};

/// o = softmax(q k^T / sqrt(head_dim)) v, and the stats that the backward pass needs.
class Forward : public AttentionGraph {
public:
  Forward(cudnnHandle_t handle, const Shape& shape, const Matrices<Bf16>& matrices)
      : AttentionGraph(handle, shape) {
    const Tensor q = matrix(matrices.q, shape.q_heads, shape.head_dim);
    const Tensor k = transposed_matrix(matrices.k, shape.kv_heads, shape.head_dim);
    const Tensor v = matrix(matrices.v, shape.kv_heads, shape.value_dim);
    const Tensor products = graph.multiply(q, k, scores());
    const Tensor scaled = graph.pointwise(CUDNN_POINTWISE_MUL, products, scale(), scores());
    const Tensor visible = masked(scaled);
    const Tensor largest = graph.reduce(CUDNN_REDUCE_TENSOR_MAX, visible, rows());
    const Tensor less = graph.pointwise(CUDNN_POINTWISE_SUB, visible, largest, scores());
    const Tensor exponentials = graph.pointwise(CUDNN_POINTWISE_EXP, less, std::nullopt, scores());
    const Tensor sum = graph.reduce(CUDNN_REDUCE_TENSOR_ADD, exponentials, rows());
    const Tensor logarithm = graph.pointwise(CUDNN_POINTWISE_LOG, sum, std::nullopt, rows());
    graph.pointwise(CUDNN_POINTWISE_ADD, largest, logarithm, row_numbers(matrices.stats));
    const Tensor weights =
        graph.pointwise(CUDNN_POINTWISE_DIV, exponentials, sum, scores(CUDNN_DATA_BFLOAT16));
    graph.multiply(weights, v, matrix(matrices.o, shape.q_heads, shape.value_dim));
  }
};

/// The gradients of q, k and v from those of o, and from the results of the forward pass.
class Backward : public AttentionGraph {
public:
  Backward(cudnnHandle_t handle, const Shape& shape, const Matrices<Bf16>& matrices)
      : AttentionGraph(handle, shape), q_sums_(shape.q_elements()), row_sums_(shape.rows()) {
    const Tensor q = matrix(matrices.q, shape.q_heads, shape.head_dim);
    const Tensor k = transposed_matrix(matrices.k, shape.kv_heads, shape.head_dim);
    const Tensor v = transposed_matrix(matrices.v, shape.kv_heads, shape.value_dim);
    const Tensor o = matrix(matrices.o, shape.q_heads, shape.value_dim);
    const Tensor gradient = matrix(matrices.o_gradient, shape.q_heads, shape.value_dim);
    const Tensor of_row = row_products(gradient, o);
    const Tensor weights = recomputed_weights(q, k, row_numbers(matrices.stats));
    head_sums(graph.multiply(graph.transposed(weights, CUDNN_DATA_BFLOAT16), gradient,
                             key_result(matrices.v_gradient, shape.value_dim)),
              matrices.v_gradient, shape.value_dim);
    const Tensor of_weights = graph.multiply(gradient, v, scores());
    const Tensor centred = graph.pointwise(CUDNN_POINTWISE_SUB, of_weights, of_row, scores());
    const Tensor of_scores = graph.pointwise(CUDNN_POINTWISE_MUL, centred, weights, scores());
    const Tensor scaled = graph.pointwise(CUDNN_POINTWISE_MUL, of_scores, scale(), scores());
    head_sums(graph.multiply(graph.transposed(scaled, CUDNN_DATA_BFLOAT16), q,
                             key_result(matrices.k_gradient, shape.head_dim)),
              matrices.k_gradient, shape.head_dim);
    const Four sizes{shape.batch, shape.q_heads, shape.sequence, shape.head_dim};
    const Tensor sums =
        graph.input(sizes, graph.inner(sizes).strides, CUDNN_DATA_FLOAT, q_sums_.data());
    graph.multiply(scaled, graph.transposed(k, CUDNN_DATA_BFLOAT16), sums);
    graph.pointwise(CUDNN_POINTWISE_IDENTITY, sums, std::nullopt,
                    matrix(matrices.q_gradient, shape.q_heads, shape.head_dim));
  }

  void run(cudaStream_t stream) {
    constexpr std::size_t clears_itself = 90600;
    if (cudnnGetVersion() < clears_itself)
      CUDA_CALL(cudaMemsetAsync(q_sums_.data(), 0, q_sums_.bytes(), stream));
    graph.run(stream);
  }

private:
  /// The sum over a row of the gradient times the output.
  Tensor row_products(const Tensor& gradient, const Tensor& o) {
    const Tensor products = graph.pointwise(CUDNN_POINTWISE_MUL, gradient, o, graph.inner(o.sizes));
    const Tensor sums = graph.reduce(CUDNN_REDUCE_TENSOR_ADD, products, rows());
    return graph.pointwise(CUDNN_POINTWISE_MUL, sums, graph.scalar(1.0f),
                           row_numbers(row_sums_.data()));
  }
  Tensor recomputed_weights(const Tensor& q, const Tensor& k, const Tensor& stats) {
    const Tensor products = graph.multiply(q, k, scores());
    const Tensor scaled = graph.pointwise(CUDNN_POINTWISE_MUL, products, scale(), scores());
    const Tensor less = graph.pointwise(CUDNN_POINTWISE_SUB, scaled, stats, scores());
    return graph.pointwise(CUDNN_POINTWISE_EXP, masked(less), std::nullopt, scores());
  }
  /// The result of a product for each key and query head: that in memory if keys have as many
  /// heads.
  Tensor key_result(Bf16* memory, std::int64_t dim) {
    if (shape_.q_heads == shape_.kv_heads)
      return matrix(memory, shape_.kv_heads, dim);
    return graph.inner({shape_.batch, shape_.q_heads, shape_.sequence, dim}, CUDNN_DATA_BFLOAT16);
  }
  /// Sums over the query heads of each key head, unless they are the same.
  void head_sums(const Tensor& of_heads, Bf16* memory, std::int64_t dim) {
    if (shape_.q_heads != shape_.kv_heads)
      graph.reduce(CUDNN_REDUCE_TENSOR_ADD, of_heads, matrix(memory, shape_.kv_heads, dim));
  }

  DeviceBuffer<float> q_sums_;
  DeviceBuffer<float> row_sums_;
};

} // namespace moesim::microbench::attention
