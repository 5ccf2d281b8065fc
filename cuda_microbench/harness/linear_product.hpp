#pragma once

#include "cuda_microbench/harness/product_layout.hpp"

#include <cublasLt.h>

#include <array>
#include <memory>
#include <type_traits>

/// A product through cuBLASLt. Only for .cu files.
namespace moesim::microbench {

/// Owns an object of cuBLAS that `destroy` frees.
template <auto destroy> struct Destroyer {
  template <class T> void operator()(T* object) const { destroy(object); }
};
template <class Handle, auto destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroyer<destroy>>;

/// The number formats of a product's operands, e4m3 but for bf16; its sums are fp32.
enum class Operands {
  bf16,
  fp8_per_tensor, ///< one scale a matrix
  fp8,            ///< a scale for 128 inner elements, for 128 x 128 of a weight (Hopper)
  mxfp8           ///< a scale of powers of two for 32 inner elements (Blackwell)
};
constexpr Operands all_operands[] = {Operands::bf16, Operands::fp8_per_tensor, Operands::fp8,
                                     Operands::mxfp8};

/// "bf16", "fp8_per_tensor", "fp8" or "mxfp8", as in the CSV files.
const char* name_of(Operands operands);

/// Why the device or this build of cuBLAS cannot multiply such operands; empty if they can.
std::string lacks_operands(int compute_major, int compute_minor, Operands operands);

/// How a pass of a layer is computed with such operands.
ProductLayout layout_of(Operands operands, Pass pass, std::int64_t tokens, std::int64_t n,
                        std::int64_t k);

/// A handle, the scales of matrices with one, and a workspace for each of the streams on which
/// products run at once.
class LinearContext {
public:
  /// Scales of b and of a. Their product is not 1, so that a check sees whether they are applied.
  /// Blocks have them too, all the same, so that the check holds whatever the order of the blocks'
  /// scales.
  static constexpr float b_scale = 0.5f;
  static constexpr float a_scale = 0.25f;
  /// Size of the workspace of each stream, as in Transformer Engine on Hopper.
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;
  /// As many as Transformer Engine runs the products of experts on
  /// (transformer_engine/common/util/multi_stream.cpp).
  static constexpr int streams = 4;

  LinearContext();
  cublasLtHandle_t handle() const { return handle_.get(); }
  void* workspace(int stream) { return workspace_.data() + workspace_bytes * stream; }
  const float* device_b_scale() const { return scales_.data(); }
  const float* device_a_scale() const { return scales_.data() + 1; }

private:
  Owned<cublasLtHandle_t, cublasLtDestroy> handle_;
  DeviceBuffer<unsigned char> workspace_;
  DeviceBuffer<float> scales_;
};

/// One pass of a linear layer. It runs the first algorithm that cuBLASLt's heuristic gives for the
/// sizes. Sums of fp8_per_tensor are accumulated fast in the forward pass alone, as Transformer
/// Engine does.
class LinearProduct {
public:
  /// Prepares the pass of a layer of n x k, each size at least 1. `context` must outlive it.
  LinearProduct(LinearContext& context, Operands operands, Pass pass, Accumulate accumulate,
                std::int64_t tokens, std::int64_t n, std::int64_t k);

  /// Whether cuBLASLt has an algorithm for it; enqueue() throws std::logic_error if not.
  bool is_supported() const { return supported_; }
  double factor() const { return factor_; }
  const ProductLayout& layout() const { return layout_; }

  /// Enqueues the product, with the workspace of that number. The operands are of the constructor's
  /// format; all matrices start at a multiple of 256 bytes, which the heuristic counts on:
  /// std::logic_error if not.
  void enqueue(cudaStream_t stream, const void* a, const void* b, void* c, int workspace = 0) const;

private:
  void set_up_scales(Operands operands, Pass pass);
  void set_up_blocks(Operands operands, Pass pass);
  void choose_algorithm();

  LinearContext* context_;
  ProductLayout layout_;
  float beta_;
  Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy> operation_;
  Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> a_layout_;
  Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> b_layout_;
  Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> c_layout_;
  std::array<std::unique_ptr<DeviceBuffer<float>>, 2> block_scales_; ///< of a and of b
  cublasLtMatmulAlgo_t algorithm_{};
  bool supported_ = false;
  double factor_ = 1.0;
};

/// Adds the work of several streams to another one: between fork() and join() it starts after what
/// is in that stream, and what comes after join() waits for it.
class ForkedStreams {
public:
  ForkedStreams();
  ForkedStreams(const ForkedStreams&) = delete;
  ForkedStreams& operator=(const ForkedStreams&) = delete;
  ~ForkedStreams();

  cudaStream_t of(int index) const { return streams_[static_cast<std::size_t>(index)]; }
  void fork(cudaStream_t stream) const;
  void join(cudaStream_t stream) const;

private:
  std::array<cudaStream_t, LinearContext::streams> streams_{};
  std::array<cudaEvent_t, LinearContext::streams> done_{};
  cudaEvent_t start_ = nullptr;
};

} // namespace moesim::microbench
