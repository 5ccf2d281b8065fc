#include "cuda_microbench/harness/linear_product.hpp"

#include <algorithm>

namespace moesim::microbench {

namespace {

constexpr std::uintptr_t alignment = 256; // of cudaMalloc, and what the heuristic assumes
constexpr int algorithms_max = 8;         // asked of the heuristic, for the first one that fits

cublasLtHandle_t create_handle() {
  cublasLtHandle_t handle = nullptr;
  CUBLAS_CALL(cublasLtCreate(&handle));
  return handle;
}

cublasLtMatmulDesc_t create_operation() {
  cublasLtMatmulDesc_t operation = nullptr;
  CUBLAS_CALL(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  return operation;
}

/// A column-major matrix of rows x columns, or the other way if it is to be transposed.
cublasLtMatrixLayout_t create_layout(cudaDataType_t type, cublasOperation_t transpose,
                                     std::int64_t rows, std::int64_t columns, std::int64_t step) {
  if (transpose == CUBLAS_OP_T)
    std::swap(rows, columns);
  cublasLtMatrixLayout_t layout = nullptr;
  CUBLAS_CALL(cublasLtMatrixLayoutCreate(&layout, type, static_cast<std::uint64_t>(rows),
                                         static_cast<std::uint64_t>(columns), step));
  return layout;
}

template <class Value>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, Value value) {
  CUBLAS_CALL(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof(value)));
}

cudaDataType_t type_of(Operands operands) {
  return operands == Operands::bf16 ? CUDA_R_16BF : CUDA_R_8F_E4M3;
}

bool is_aligned(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

} // namespace

const char* name_of(Operands operands) {
  constexpr const char* names[] = {"bf16", "fp8_per_tensor", "fp8", "mxfp8"};
  return names[static_cast<int>(operands)];
}

std::string lacks_operands(int compute_major, int compute_minor, Operands operands) {
  const int capability = 10 * compute_major + compute_minor;
  switch (operands) {
  case Operands::bf16:
    return capability < 80 ? "bf16 needs compute capability 8.0" : "";
  case Operands::fp8_per_tensor:
    return capability < 89 ? "fp8_per_tensor needs compute capability 8.9" : "";
  case Operands::fp8:
    if (CUBLAS_VERSION < 120900)
      return "built with a cuBLAS before 12.9, which has no fp8 in blocks of 128";
    return capability != 90 ? "fp8 in blocks of 128 needs compute capability 9.0" : "";
  case Operands::mxfp8:
    if (CUBLAS_VERSION < 120900)
      return "built with a cuBLAS before 12.9, which has no mxfp8";
    return capability < 100 ? "mxfp8 needs compute capability 10.0" : "";
  }
  throw std::logic_error("no such operands");
}

ProductLayout layout_of(Operands operands, Pass pass, std::int64_t tokens, std::int64_t n,
                        std::int64_t k) {
  return operands == Operands::bf16 ? pass_layout(pass, tokens, n, k)
                                    : inner_layout(pass, tokens, n, k);
}

LinearContext::LinearContext()
    : handle_(create_handle()), workspace_(streams * workspace_bytes),
      scales_(std::vector<float>{b_scale, a_scale}) {}

LinearProduct::LinearProduct(LinearContext& context, Operands operands, Pass pass,
                             Accumulate accumulate, std::int64_t tokens, std::int64_t n,
                             std::int64_t k)
    : context_(&context), layout_(layout_of(operands, pass, tokens, n, k)),
      beta_(accumulate == Accumulate::none ? 0.0f : 1.0f), operation_(create_operation()),
      a_layout_(create_layout(type_of(operands), layout_.transpose_a, layout_.m, layout_.k,
                              layout_.a_step)),
      b_layout_(create_layout(type_of(operands), layout_.transpose_b, layout_.k, layout_.n,
                              layout_.b_step)),
      c_layout_(create_layout(accumulate == Accumulate::none ? CUDA_R_16BF : CUDA_R_32F,
                              CUBLAS_OP_N, layout_.m, layout_.n, layout_.c_step)) {
  set(operation_.get(), CUBLASLT_MATMUL_DESC_TRANSA, layout_.transpose_a);
  set(operation_.get(), CUBLASLT_MATMUL_DESC_TRANSB, layout_.transpose_b);
  if (operands != Operands::bf16)
    set_up_scales(operands, pass);
  choose_algorithm();
}

void LinearProduct::set_up_scales(Operands operands, Pass pass) {
  factor_ = double{LinearContext::a_scale} * double{LinearContext::b_scale};
  if (operands != Operands::fp8_per_tensor)
    return set_up_blocks(operands, pass);
  set(operation_.get(), CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, context_->device_a_scale());
  set(operation_.get(), CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, context_->device_b_scale());
  set(operation_.get(), CUBLASLT_MATMUL_DESC_FAST_ACCUM,
      std::int8_t{pass == Pass::forward ? std::int8_t{1} : std::int8_t{0}});
}

// The scales of all blocks of a matrix are the same: their order does not matter. A buffer has one
// fp32 for 128 inner elements of each row, or a byte for 32 of them, with rows padded to 128: as
// many bytes.
void LinearProduct::set_up_blocks([[maybe_unused]] Operands operands, [[maybe_unused]] Pass pass) {
#if CUBLAS_VERSION >= 120900
  const auto pad = [](std::int64_t size) { return (size + 127) / 128 * 128; };
  const std::int64_t rows[] = {layout_.m, layout_.n};
  const float values[] = {LinearContext::a_scale, LinearContext::b_scale};
  const void* pointers[2] = {};
  for (std::size_t side = 0; side < 2; ++side) {
    const auto count = static_cast<std::size_t>(pad(rows[side]) * (pad(layout_.k) / 128 + 4));
    block_scales_[side] = std::make_unique<DeviceBuffer<float>>(
        random_buffer<float>(count, 0, values[side], values[side]));
    if (operands == Operands::mxfp8) { // exponents, 127 for 1
      const int exponent = values[side] == 0.5f ? 126 : 125;
      CUDA_CALL(cudaMemset(block_scales_[side]->data(), exponent, block_scales_[side]->bytes()));
    }
    pointers[side] = block_scales_[side]->data();
  }
  // Tokens have a scale for 128 elements in a row, a weight for 128 x 128: forward and of the data
  // gradient, a is the weight.
  auto a_mode = CUBLASLT_MATMUL_MATRIX_SCALE_VEC32_UE8M0;
  auto b_mode = a_mode;
  if (operands == Operands::fp8) {
    a_mode = pass == Pass::weight_gradient ? CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F
                                           : CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F;
    b_mode = CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F;
  }
  set(operation_.get(), CUBLASLT_MATMUL_DESC_A_SCALE_MODE, a_mode);
  set(operation_.get(), CUBLASLT_MATMUL_DESC_B_SCALE_MODE, b_mode);
  set(operation_.get(), CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, pointers[0]);
  set(operation_.get(), CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, pointers[1]);
#else
  throw std::logic_error("this cuBLAS has no scales of blocks");
#endif
}

void LinearProduct::choose_algorithm() {
  cublasLtMatmulPreference_t created = nullptr;
  CUBLAS_CALL(cublasLtMatmulPreferenceCreate(&created));
  const Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy> preference(created);
  const std::size_t workspace_max = LinearContext::workspace_bytes;
  CUBLAS_CALL(cublasLtMatmulPreferenceSetAttribute(preference.get(),
                                                   CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                   &workspace_max, sizeof(workspace_max)));
  cublasLtMatmulHeuristicResult_t results[algorithms_max] = {};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      context_->handle(), operation_.get(), a_layout_.get(), b_layout_.get(), c_layout_.get(),
      c_layout_.get(), preference.get(), algorithms_max, results, &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED)
    return;
  CUBLAS_CALL(status);
  for (int i = 0; i < found && !supported_; ++i)
    if (results[i].state == CUBLAS_STATUS_SUCCESS && results[i].workspaceSize <= workspace_max) {
      algorithm_ = results[i].algo;
      supported_ = true;
    }
}

void LinearProduct::enqueue(cudaStream_t stream, const void* a, const void* b, void* c,
                            int workspace) const {
  if (!supported_ || !is_aligned(a) || !is_aligned(b) || !is_aligned(c))
    throw std::logic_error("a product without algorithm, or matrices that are not aligned");
  const float alpha = 1.0f;
  CUBLAS_CALL(cublasLtMatmul(context_->handle(), operation_.get(), &alpha, a, a_layout_.get(), b,
                             b_layout_.get(), &beta_, c, c_layout_.get(), c, c_layout_.get(),
                             &algorithm_, context_->workspace(workspace),
                             LinearContext::workspace_bytes, stream));
}

ForkedStreams::ForkedStreams() {
  CUDA_CALL(cudaEventCreateWithFlags(&start_, cudaEventDisableTiming));
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    CUDA_CALL(cudaStreamCreateWithFlags(&streams_[i], cudaStreamNonBlocking));
    CUDA_CALL(cudaEventCreateWithFlags(&done_[i], cudaEventDisableTiming));
  }
}

ForkedStreams::~ForkedStreams() {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    cudaEventDestroy(done_[i]);
    cudaStreamDestroy(streams_[i]);
  }
  cudaEventDestroy(start_);
}

void ForkedStreams::fork(cudaStream_t stream) const {
  CUDA_CALL(cudaEventRecord(start_, stream));
  for (const cudaStream_t forked : streams_)
    CUDA_CALL(cudaStreamWaitEvent(forked, start_, 0));
}

void ForkedStreams::join(cudaStream_t stream) const {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    CUDA_CALL(cudaEventRecord(done_[i], streams_[i]));
    CUDA_CALL(cudaStreamWaitEvent(stream, done_[i], 0));
  }
}

} // namespace moesim::microbench
