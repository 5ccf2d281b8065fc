#pragma once

#include "cuda_microbench/core/machine.hpp"

namespace moesim::microbench {

/// The GPUs that the CUDA runtime sees.
class CudaMachine : public Machine {
public:
  int count_devices(std::string& reason) override;
  Device read_device(int ordinal) override;
  int current_device() override;
  std::vector<std::string> provenance(const Device& device) override;
  Stream open_stream(int ordinal) override;
  void close_stream(Stream stream) override;
  void wait(Stream stream) override;
  Measurement measure(Stream stream, const Launch& launch, const MeasureOptions& options) override;
  std::string failure() override;
  void* allocate(std::size_t bytes) override;
  void release(void* memory) override;
  void upload(void* target, const void* source, std::size_t bytes) override;
  void download(void* target, const void* source, std::size_t bytes) override;
};

} // namespace moesim::microbench
