#include "cuda_microbench/harness/cuda_machine.hpp"

#include "cuda_microbench/harness/cuda_call.hpp"
#include "cuda_microbench/harness/device.hpp"
#include "cuda_microbench/harness/measure.hpp"

#include <type_traits>

namespace moesim::microbench {

static_assert(std::is_same_v<Stream, cudaStream_t>);

int CudaMachine::count_devices(std::string& reason) {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status == cudaSuccess && devices > 0)
    return devices;
  reason = cudaGetErrorString(status == cudaSuccess ? cudaErrorNoDevice : status);
  return 0;
}

Device CudaMachine::read_device(int ordinal) {
  cudaDeviceProp properties{};
  CUDA_CALL(cudaGetDeviceProperties(&properties, ordinal));
  return {ordinal,
          properties.name,
          properties.multiProcessorCount,
          properties.major,
          properties.minor,
          properties.l2CacheSize,
          static_cast<std::int64_t>(properties.totalGlobalMem)};
}

int CudaMachine::current_device() {
  int ordinal = 0;
  CUDA_CALL(cudaGetDevice(&ordinal));
  return ordinal;
}

std::vector<std::string> CudaMachine::provenance(const Device& device) {
  return microbench::provenance(device);
}

Stream CudaMachine::open_stream(int ordinal) {
  Stream stream = nullptr;
  CUDA_CALL(cudaSetDevice(ordinal));
  CUDA_CALL(cudaStreamCreate(&stream));
  return stream;
}

void CudaMachine::close_stream(Stream stream) {
  cudaStreamDestroy(stream);
}

void CudaMachine::wait(Stream stream) {
  CUDA_CALL(cudaStreamSynchronize(stream));
}

Measurement CudaMachine::measure(Stream stream, const Launch& launch,
                                 const MeasureOptions& options) {
  return microbench::measure(stream, launch, options);
}

// An error that stays is reported by every call after it; one that does not, as of memory that
// lacks, is gone when it has been read.
std::string CudaMachine::failure() {
  static_cast<void>(cudaGetLastError());
  cudaError_t status = cudaDeviceSynchronize();
  if (status != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    status = cudaDeviceSynchronize();
  }
  return status == cudaSuccess ? "" : cudaGetErrorString(status);
}

void* CudaMachine::allocate(std::size_t bytes) {
  void* memory = nullptr;
  CUDA_CALL(cudaMalloc(&memory, bytes));
  return memory;
}

void CudaMachine::release(void* memory) {
  cudaFree(memory);
}

void CudaMachine::upload(void* target, const void* source, std::size_t bytes) {
  CUDA_CALL(cudaMemcpy(target, source, bytes, cudaMemcpyHostToDevice));
}

void CudaMachine::download(void* target, const void* source, std::size_t bytes) {
  CUDA_CALL(cudaMemcpy(target, source, bytes, cudaMemcpyDeviceToHost));
}

} // namespace moesim::microbench
