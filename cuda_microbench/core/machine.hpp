#pragma once

#include "cuda_microbench/core/device.hpp"
#include "cuda_microbench/core/results.hpp"
#include "cuda_microbench/core/statistics.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

struct CUstream_st;

namespace moesim::microbench {

/// A stream as the CUDA runtime has it: cudaStream_t, known here without its headers.
using Stream = CUstream_st*;

/// Enqueues the work to be measured on the stream and returns; it must end with that stream's
/// order, so work on other streams or devices is joined to it by events.
using Launch = std::function<void(Stream)>;

/// Whether the L2 cache is full of other data before each sample.
enum class Cold : bool { no, yes };

/// How a launch is measured.
struct MeasureOptions {
  Cold cold = Cold::yes;
  /// The stream is held back until the whole sample is enqueued, so that the host's time for a
  /// launch does not count. `false` where the launch waits for the GPU itself.
  bool blocking = true;
  int launches = 1; ///< equal pieces of work in one Launch: the times are divided by it
  /// Whether samples taken while the SM clock was throttled are taken again. `false` where other
  /// processes take part, which would not know of it.
  bool repeats_throttled = true;
  SampleLimits limits{};
};

/// The GPUs that are measured, and how: the one that CUDA has, or one that a test emulates. Its
/// methods throw std::runtime_error for a call that failed.
class Machine {
public:
  virtual ~Machine() = default;

  /// The number of visible GPUs; `reason` says why if there are none.
  virtual int count_devices(std::string& reason) = 0;
  virtual Device read_device(int ordinal) = 0;
  virtual int current_device() = 0;
  /// Where measurements of the device come from, one line an entry, each `Key: text`.
  virtual std::vector<std::string> provenance(const Device& device) = 0;

  /// A new stream of the device, which becomes the current one. It waits for the default stream and
  /// the other way.
  virtual Stream open_stream(int ordinal) = 0;
  virtual void close_stream(Stream stream) = 0;
  /// Returns when all work of the stream is done.
  virtual void wait(Stream stream) = 0;
  /// Times a launch on a stream of the current device.
  virtual Measurement measure(Stream stream, const Launch& launch,
                              const MeasureOptions& options) = 0;
  /// Looks at the device after a failed call: empty if it can be used again, else why not.
  virtual std::string failure() = 0;

  /// Memory of the current device, not initialised. Throws std::runtime_error where it lacks.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) = 0;
  virtual void upload(void* target, const void* source, std::size_t bytes) = 0;
  virtual void download(void* target, const void* source, std::size_t bytes) = 0;
};

} // namespace moesim::microbench
