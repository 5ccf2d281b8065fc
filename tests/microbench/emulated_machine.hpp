#pragma once

#include "cuda_microbench/core/machine.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace moesim::microbench {

/// A GPU that a test emulates: its memory is the host's, its streams do their work at once, and
/// each launch takes a microsecond. A fault is thrown by a launch that sets it.
class EmulatedMachine : public Machine {
public:
  std::string name = "NVIDIA H100 80GB HBM3";
  int devices = 1;
  bool is_lost = false; ///< from here on every call fails, as after a sticky error of CUDA
  int launches = 0;     ///< that were timed

  int count_devices(std::string& reason) override {
    reason = "none is emulated";
    return devices;
  }
  Device read_device(int ordinal) override {
    return {ordinal, name, 132, 9, 0, 1 << 25, 80LL << 30};
  }
  int current_device() override { return current_; }
  std::vector<std::string> provenance(const Device& device) override {
    return {"Source: emulated", "GPU: " + device.name};
  }
  Stream open_stream(int ordinal) override {
    current_ = ordinal;
    return nullptr;
  }
  void close_stream(Stream) override {}
  void wait(Stream) override { check(); }
  Measurement measure(Stream stream, const Launch& launch, const MeasureOptions&) override {
    launch(stream);
    check();
    ++launches;
    return {.time_us = 1.0,
            .noise_percent = 0.1,
            .samples = 10,
            .throttled = false,
            .sm_clock_mhz = 1755.0};
  }
  std::string failure() override { return is_lost ? "an illegal memory access" : ""; }
  void* allocate(std::size_t bytes) override {
    check();
    void* memory = std::malloc(bytes);
    if (memory == nullptr)
      throw std::runtime_error("out of memory");
    return memory;
  }
  void release(void* memory) override { std::free(memory); }
  void upload(void* target, const void* source, std::size_t bytes) override {
    std::memcpy(target, source, bytes);
  }
  void download(void* target, const void* source, std::size_t bytes) override {
    std::memcpy(target, source, bytes);
  }

private:
  void check() const {
    if (is_lost)
      throw std::runtime_error("an illegal memory access");
  }

  int current_ = 0;
};

} // namespace moesim::microbench
