#pragma once

#include "cuda_microbench/harness/cuda_call.hpp"

namespace moesim::microbench {

/// Makes a device the current one as long as the object lives.
class OnDevice {
public:
  explicit OnDevice(int device) {
    CUDA_CALL(cudaGetDevice(&previous_));
    CUDA_CALL(cudaSetDevice(device));
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() { cudaSetDevice(previous_); }

private:
  int previous_ = 0;
};

/// Lets `own` access the memory of `other` directly. False if it cannot; true at once if something
/// in this process has done so before.
inline bool enable_peer_access(int own, int other) {
  int reachable = 0;
  CUDA_CALL(cudaDeviceCanAccessPeer(&reachable, own, other));
  if (reachable == 0)
    return false;
  const OnDevice current(own);
  const cudaError_t status = cudaDeviceEnablePeerAccess(other, 0);
  if (status == cudaErrorPeerAccessAlreadyEnabled)
    static_cast<void>(cudaGetLastError()); // or the next check of a kernel's launch reports it
  else
    CUDA_CALL(status);
  return true;
}

} // namespace moesim::microbench
