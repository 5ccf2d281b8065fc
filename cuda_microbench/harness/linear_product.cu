#include "cuda_microbench/harness/linear_product.hpp"

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

/// A column-major matrix without gaps: what cuBLASLt sees of a row-major one, transposed.
cublasLtMatrixLayout_t create_layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
  cublasLtMatrixLayout_t layout = nullptr;
  CUBLAS_CALL(cublasLtMatrixLayoutCreate(&layout, type, static_cast<std::uint64_t>(rows),
                                         static_cast<std::uint64_t>(columns), rows));
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
  return operands == Operands::bf16 ? "bf16" : "fp8";
}

std::string lacks_operands(int compute_major, int compute_minor, Operands operands) {
  const int capability = 10 * compute_major + compute_minor;
  if (operands == Operands::bf16 && capability < 80)
    return "bf16 needs compute capability 8.0";
  if (operands == Operands::fp8 && capability < 89)
    return "fp8 needs compute capability 8.9";
  return "";
}

LinearContext::LinearContext()
    : handle_(create_handle()), workspace_(workspace_bytes),
      scales_(std::vector<float>{activation_scale, weight_scale}) {}

// The row-major out (m x n) is, column-major, its transpose: out^T = weight * activations^T. As
// column-major matrices, the operands are weight^T (k x n), to be transposed, and activations^T
// (k x m), to be taken as it is: the one combination that fp8 has on all devices.
LinearProduct::LinearProduct(LinearContext& context, Operands operands, std::int64_t m,
                             std::int64_t n, std::int64_t k)
    : context_(&context), operation_(create_operation()),
      weight_layout_(create_layout(type_of(operands), k, n)),
      activation_layout_(create_layout(type_of(operands), k, m)),
      out_layout_(create_layout(CUDA_R_16BF, n, m)) {
  set(operation_.get(), CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  set(operation_.get(), CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
  if (operands == Operands::fp8)
    set_up_fp8();
  choose_algorithm();
}

void LinearProduct::set_up_fp8() {
  set(operation_.get(), CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, context_->device_weight_scale());
  set(operation_.get(), CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, context_->device_activation_scale());
  set(operation_.get(), CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
  factor_ = double{LinearContext::activation_scale} * double{LinearContext::weight_scale};
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
      context_->handle(), operation_.get(), weight_layout_.get(), activation_layout_.get(),
      out_layout_.get(), out_layout_.get(), preference.get(), algorithms_max, results, &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED)
    return;
  CUBLAS_CALL(status);
  for (int i = 0; i < found && !supported_; ++i)
    if (results[i].state == CUBLAS_STATUS_SUCCESS && results[i].workspaceSize <= workspace_max) {
      algorithm_ = results[i].algo;
      supported_ = true;
    }
}

void LinearProduct::enqueue(cudaStream_t stream, const void* activations, const void* weight,
                            void* out) const {
  if (!supported_ || !is_aligned(activations) || !is_aligned(weight) || !is_aligned(out))
    throw std::logic_error("a product without algorithm, or operands that are not aligned");
  const float alpha = 1.0f;
  const float beta = 0.0f;
  CUBLAS_CALL(cublasLtMatmul(context_->handle(), operation_.get(), &alpha, weight,
                             weight_layout_.get(), activations, activation_layout_.get(), &beta,
                             out, out_layout_.get(), out, out_layout_.get(), &algorithm_,
                             context_->workspace(), LinearContext::workspace_bytes, stream));
}

} // namespace moesim::microbench
