#pragma once

#include "cuda_microbench/harness/device_buffer.hpp"

#include <cublasLt.h>

#include <memory>
#include <type_traits>

/// The product of a linear layer through cuBLASLt. Only for .cu files.
namespace moesim::microbench {

/// Owns an object of cuBLAS that `destroy` frees.
template <auto destroy> struct Destroyer {
  template <class T> void operator()(T* object) const { destroy(object); }
};
template <class Handle, auto destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroyer<destroy>>;

/// The number formats of a product's operands; its result is bf16, its sums are fp32. fp8 is e4m3
/// with one scale a matrix.
enum class Operands { bf16, fp8 };

/// "bf16" or "fp8", as in the CSV files.
const char* name_of(Operands operands);

/// Why the device cannot multiply such operands; empty if it can.
std::string lacks_operands(int compute_major, int compute_minor, Operands operands);

/// What products share: a handle, the workspace, and the scales of fp8 matrices.
class LinearContext {
public:
  /// Of both scales: not 1 together, so that a check sees whether they are applied.
  static constexpr float activation_scale = 0.5f;
  static constexpr float weight_scale = 0.25f;
  static constexpr std::size_t workspace_bytes = std::size_t{64} << 20;

  LinearContext();
  cublasLtHandle_t handle() const { return handle_.get(); }
  void* workspace() { return workspace_.data(); }
  const float* device_activation_scale() const { return scales_.data(); }
  const float* device_weight_scale() const { return scales_.data() + 1; }

private:
  Owned<cublasLtHandle_t, cublasLtDestroy> handle_;
  DeviceBuffer<unsigned char> workspace_;
  DeviceBuffer<float> scales_;
};

/// out = factor * activations * weight^T, as a linear layer has it: `activations` is m x k,
/// `weight` n x k and `out` m x n, all row-major. It runs the first algorithm that cuBLASLt's
/// heuristic gives for the sizes; sums of fp8 products are accumulated fast, as in training's
/// forward pass.
class LinearProduct {
public:
  /// Prepares a product of these sizes, each at least 1. `context` must outlive it.
  LinearProduct(LinearContext& context, Operands operands, std::int64_t m, std::int64_t n,
                std::int64_t k);

  /// Whether cuBLASLt has an algorithm for it; enqueue() throws std::logic_error if not.
  bool is_supported() const { return supported_; }
  double factor() const { return factor_; }

  /// Enqueues the product. The operands are of the constructor's format, `out` is bf16; all start
  /// at a multiple of 256 bytes, which the heuristic counts on: std::logic_error if not.
  void enqueue(cudaStream_t stream, const void* activations, const void* weight, void* out) const;

private:
  void set_up_fp8();
  void choose_algorithm();

  LinearContext* context_;
  Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy> operation_;
  Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> weight_layout_;
  Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> activation_layout_;
  Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> out_layout_;
  cublasLtMatmulAlgo_t algorithm_{};
  bool supported_ = false;
  double factor_ = 1.0;
};

} // namespace moesim::microbench
