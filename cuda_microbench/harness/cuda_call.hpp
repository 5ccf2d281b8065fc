#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace moesim::microbench {

/// Throws std::runtime_error `file:line: call: error`: what the macros below do with a failed call.
[[noreturn]] inline void fail_call(const char* file, int line, const char* call,
                                   const char* error) {
  throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + call + ": " +
                           error);
}

} // namespace moesim::microbench

/// Evaluates the call `expr` once; throws unless its status is `good`. `describe` names a status.
#define MOESIM_CALL(expr, good, describe)                                                          \
  do {                                                                                             \
    const auto call_status = (expr);                                                               \
    if (call_status != (good))                                                                     \
      ::moesim::microbench::fail_call(__FILE__, __LINE__, #expr, describe(call_status));           \
  } while (false)

/// A call of the CUDA runtime. Behind a kernel's launch: CUDA_CALL(cudaGetLastError()).
#define CUDA_CALL(expr) MOESIM_CALL(expr, cudaSuccess, cudaGetErrorString)
/// A call of cuBLAS or cuBLASLt.
#define CUBLAS_CALL(expr) MOESIM_CALL(expr, CUBLAS_STATUS_SUCCESS, cublasGetStatusString)
