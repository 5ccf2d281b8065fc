#pragma once

#include "cuda_microbench/harness/vectors.hpp"

#include <cuda_fp8.h>

#include <cstddef>

/// Operations that move more bytes than they compute, as a training step has them between its
/// matrix products. Inputs and outputs are bf16 in vectors of 16 bytes, arithmetic is fp32. Every
/// thread of a grid has work: the sizes are multiples of what a block does. Only for .cu files.
namespace moesim::microbench::memory_bound {

constexpr int warp = 32;
constexpr unsigned all_lanes = 0xffffffffu;

/// Constants of the norm and of Adam, as training has them; the times do not depend on them.
constexpr float norm_epsilon = 1e-5f;
constexpr float learning_rate = 1e-3f;
constexpr float beta_1 = 0.9f;
constexpr float beta_2 = 0.95f;
constexpr float adam_epsilon = 1e-8f;
constexpr float weight_decay = 0.1f;
constexpr float adam_correction_1 = 0.2f; ///< 1 - beta_1^step, of some early step
constexpr float adam_correction_2 = 0.1f; ///< 1 - beta_2^step

/// The values of fp8 that share a scale, and the largest that e4m3 has.
constexpr int values_per_scale = 128;
constexpr float e4m3_max = 448.0f;

/// The most threads of a block, one for each vector of a row: what the registers must do for.
constexpr int row_threads_max = 1024;

inline __device__ std::size_t thread_index() {
  return static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

/// The sum over all threads of a block of whole warps, for each of them.
inline __device__ float block_sum(float value) {
  __shared__ float sums[warp];
  const int lane = static_cast<int>(threadIdx.x) % warp;
  const int own_warp = static_cast<int>(threadIdx.x) / warp;
  const int warps = static_cast<int>(blockDim.x) / warp;
  for (int offset = warp / 2; offset > 0; offset /= 2)
    value += __shfl_xor_sync(all_lanes, value, offset);
  __syncthreads(); // the sums of an earlier call are read
  if (lane == 0)
    sums[own_warp] = value;
  __syncthreads();
  float total = lane < warps ? sums[lane] : 0.0f;
  for (int offset = warp / 2; offset > 0; offset /= 2)
    total += __shfl_xor_sync(all_lanes, total, offset);
  return total;
}

/// One block for each row, one thread for each vector of it: out = x weight / sqrt(mean(x^2) +
/// epsilon). The factor of each row is kept for the backward pass.
static __global__ void __launch_bounds__(row_threads_max)
    rms_norm(const uint4* __restrict__ in, const uint4* __restrict__ weight,
             uint4* __restrict__ out, float* __restrict__ inverse_rms) {
  Floats x = unpack(in[thread_index()]);
  const Floats w = unpack(weight[threadIdx.x]);
  float squares = 0.0f;
#pragma unroll
  for (int i = 0; i < vector_values; ++i)
    squares += x[i] * x[i];
  const float width = static_cast<float>(blockDim.x * vector_values);
  const float inverse = rsqrtf(block_sum(squares) / width + norm_epsilon);
#pragma unroll
  for (int i = 0; i < vector_values; ++i)
    x[i] *= inverse * w[i];
  out[thread_index()] = pack(x);
  if (threadIdx.x == 0)
    inverse_rms[blockIdx.x] = inverse;
}

/// One block for `rows` rows, one thread for each vector of them. With r the factor of the row and
/// g the gradient of the output: dx = r weight g - x r^3 mean(weight g x). The gradient of the
/// weight, the sum of g x r over all rows, is left as the sums over each block's rows.
static __global__ void __launch_bounds__(row_threads_max)
    rms_norm_backward(const uint4* __restrict__ in, const uint4* __restrict__ weight,
                      const float* __restrict__ inverse_rms, const uint4* __restrict__ out_gradient,
                      uint4* __restrict__ in_gradient, float4* __restrict__ weight_gradients,
                      int rows) {
  const Floats w = unpack(weight[threadIdx.x]);
  const float width = static_cast<float>(blockDim.x * vector_values);
  Floats sums{};
  for (int i = 0; i < rows; ++i) {
    const std::size_t row = static_cast<std::size_t>(blockIdx.x) * rows + i;
    const std::size_t place = row * blockDim.x + threadIdx.x;
    const Floats x = unpack(in[place]);
    Floats g = unpack(out_gradient[place]);
    const float inverse = inverse_rms[row];
    float products = 0.0f;
#pragma unroll
    for (int j = 0; j < vector_values; ++j) {
      sums[j] += g[j] * x[j] * inverse;
      g[j] *= w[j];
      products += g[j] * x[j];
    }
    const float common = inverse * inverse * inverse * block_sum(products) / width;
#pragma unroll
    for (int j = 0; j < vector_values; ++j)
      g[j] = inverse * g[j] - x[j] * common;
    in_gradient[place] = pack(g);
  }
  weight_gradients[2 * thread_index()] = make_float4(sums[0], sums[1], sums[2], sums[3]);
  weight_gradients[2 * thread_index() + 1] = make_float4(sums[4], sums[5], sums[6], sums[7]);
}

/// 1 / (1 + e^-x) with the fast functions, whose few units of 2^-24 vanish in bf16.
inline __device__ float fast_sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + __expf(-x));
}

/// out = silu(gate) up, with silu(x) = x sigmoid(x).
static __global__ void swiglu(const uint4* __restrict__ gates, const uint4* __restrict__ ups,
                              uint4* __restrict__ out) {
  const Floats gate = unpack(gates[thread_index()]);
  Floats up = unpack(ups[thread_index()]);
#pragma unroll
  for (int i = 0; i < vector_values; ++i)
    up[i] *= gate[i] * fast_sigmoid(gate[i]);
  out[thread_index()] = pack(up);
}

/// The gradients of both inputs from that of the output, g: with s = sigmoid(gate),
/// dgate = g up s (1 + gate (1 - s)) and dup = g gate s.
static __global__ void swiglu_backward(const uint4* __restrict__ gates,
                                       const uint4* __restrict__ ups,
                                       const uint4* __restrict__ out_gradients,
                                       uint4* __restrict__ gate_gradients,
                                       uint4* __restrict__ up_gradients) {
  const Floats gate = unpack(gates[thread_index()]);
  Floats up = unpack(ups[thread_index()]);
  Floats g = unpack(out_gradients[thread_index()]);
#pragma unroll
  for (int i = 0; i < vector_values; ++i) {
    const float s = fast_sigmoid(gate[i]);
    up[i] *= g[i] * s * (1.0f + gate[i] * (1.0f - s));
    g[i] *= gate[i] * s;
  }
  gate_gradients[thread_index()] = pack(up);
  up_gradients[thread_index()] = pack(g);
}

static __global__ void residual_add(const uint4* __restrict__ a, const uint4* __restrict__ b,
                                    uint4* __restrict__ out) {
  const Floats first = unpack(a[thread_index()]);
  Floats sum = unpack(b[thread_index()]);
#pragma unroll
  for (int i = 0; i < vector_values; ++i)
    sum[i] += first[i];
  out[thread_index()] = pack(sum);
}

/// Four values times `factor` as e4m3, the first in the lowest byte.
inline __device__ unsigned to_e4m3(const Floats& x, int first, float factor) {
  const float2 low = make_float2(x[first] * factor, x[first + 1] * factor);
  const float2 high = make_float2(x[first + 2] * factor, x[first + 3] * factor);
  const unsigned low_bits = __nv_cvt_float2_to_fp8x2(low, __NV_SATFINITE, __NV_E4M3);
  const unsigned high_bits = __nv_cvt_float2_to_fp8x2(high, __NV_SATFINITE, __NV_E4M3);
  return low_bits | high_bits << 16;
}

/// bf16 to e4m3, a scale for each 128 values: their largest amount over the largest e4m3, by which
/// they are divided. A thread has two vectors of bf16, eight threads have 128 values.
static __global__ void cast_fp8(const uint4* __restrict__ in, uint4* __restrict__ out,
                                float* __restrict__ scales) {
  constexpr int threads_per_scale = values_per_scale / (2 * vector_values);
  constexpr float no_division_by_zero = 1e-30f;
  const Floats a = unpack(in[2 * thread_index()]);
  const Floats b = unpack(in[2 * thread_index() + 1]);
  float largest = no_division_by_zero;
#pragma unroll
  for (int i = 0; i < vector_values; ++i)
    largest = fmaxf(largest, fmaxf(fabsf(a[i]), fabsf(b[i])));
#pragma unroll
  for (int offset = 1; offset < threads_per_scale; offset *= 2)
    largest = fmaxf(largest, __shfl_xor_sync(all_lanes, largest, offset));
  const float factor = e4m3_max / largest;
  out[thread_index()] = make_uint4(to_e4m3(a, 0, factor), to_e4m3(a, 4, factor),
                                   to_e4m3(b, 0, factor), to_e4m3(b, 4, factor));
  if (threadIdx.x % threads_per_scale == 0)
    scales[thread_index() / threads_per_scale] = largest / e4m3_max;
}

/// The state of the optimiser: all fp32 but the weights that the model computes with.
struct AdamState {
  const float4* gradients;
  float4* master_weights;
  float4* means;     ///< of the gradient, decaying by beta_1
  float4* variances; ///< of the gradient around 0, decaying by beta_2
  uint4* weights;    ///< the master weights in bf16
};

/// One parameter by Adam with decoupled weight decay (Loshchilov, Hutter, arXiv 1711.05101).
inline __device__ void adam_update(float gradient, float& weight, float& mean, float& variance) {
  mean = beta_1 * mean + (1.0f - beta_1) * gradient;
  variance = beta_2 * variance + (1.0f - beta_2) * gradient * gradient;
  const float step =
      (mean / adam_correction_1) / (sqrtf(variance / adam_correction_2) + adam_epsilon);
  weight -= learning_rate * (step + weight_decay * weight);
}

/// Eight parameters of each thread: one vector of bf16 weights.
static __global__ void adam(AdamState state) {
  Floats written;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const std::size_t place = 2 * thread_index() + half;
    const float4 gradient = state.gradients[place];
    float4 weight = state.master_weights[place];
    float4 mean = state.means[place];
    float4 variance = state.variances[place];
    adam_update(gradient.x, weight.x, mean.x, variance.x);
    adam_update(gradient.y, weight.y, mean.y, variance.y);
    adam_update(gradient.z, weight.z, mean.z, variance.z);
    adam_update(gradient.w, weight.w, mean.w, variance.w);
    state.master_weights[place] = weight;
    state.means[place] = mean;
    state.variances[place] = variance;
    written[4 * half] = weight.x;
    written[4 * half + 1] = weight.y;
    written[4 * half + 2] = weight.z;
    written[4 * half + 3] = weight.w;
  }
  state.weights[thread_index()] = pack(written);
}

} // namespace moesim::microbench::memory_bound
