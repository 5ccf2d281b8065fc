#pragma once

#include "cuda_microbench/harness/device.hpp"
#include "cuda_microbench/harness/measure.hpp"
#include "cuda_microbench/harness/results.hpp"

#include <cuda_runtime.h>

#include <chrono>
#include <string>
#include <vector>

namespace moesim::microbench {

class Recorder;

/// One microbenchmark: a table of cases, measured one after the other.
struct Benchmark {
  std::string name;                 ///< also the name of its CSV file
  std::string description;          ///< one line, for --list
  std::vector<std::string> columns; ///< what describes a case; units in the names
  void (*run)(Recorder&) = nullptr; ///< measures all the cases
};

/// Makes a benchmark known, as a static object of its file: `const Registration registration{{…}};`
struct Registration {
  explicit Registration(Benchmark benchmark);
};

/// All benchmarks of the program, in the order of their names.
std::vector<Benchmark> registered_benchmarks();

/// Thrown by a Recorder whose time is over: the cases that are left are not measured.
struct OutOfTime {};

/// What a benchmark runs with: the device, a stream, and the methods that measure a case. A case's
/// `shape` has a cell for each column; std::logic_error otherwise, or if a case comes twice.
class Recorder {
public:
  using Clock = std::chrono::steady_clock;

  /// Makes `device` the current one. `quick` asks for few and small cases, as a test has time for.
  /// No case begins after `deadline`.
  Recorder(const Benchmark& benchmark, const Device& device, bool quick,
           Clock::time_point deadline = Clock::time_point::max());
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder();

  bool quick() const { return quick_; }
  const Device& device() const { return device_; }
  /// The stream that cases are measured on; it waits for the default stream and the other way.
  cudaStream_t stream() const { return stream_; }

  /// Measures a case and keeps its row (see measure()). Throws OutOfTime after the deadline.
  void time(const std::vector<std::string>& shape, const Work& work, const Launch& launch,
            Cold cold = Cold::yes);
  void time(const std::vector<std::string>& shape, const Work& work, const Launch& launch,
            const MeasureOptions& options);
  /// Keeps the row of a case that the benchmark measured itself.
  void record(const std::vector<std::string>& shape, const Work& work,
              const Measurement& measurement);
  /// Keeps why a case is not measured.
  void skip(const std::vector<std::string>& shape, const std::string& reason);
  /// Runs `launch` once and waits for it: what a check before the measurement looks at. Throws
  /// OutOfTime after the deadline.
  void run_once(const Launch& launch);
  /// Whether the case's result is right: `error` at most `tolerance`, and a number. If not, the
  /// case is skipped as "wrong by …", so that a wrong kernel prints no time:
  /// `if (recorder.verify(shape, error, tolerance)) recorder.time(shape, work, launch);`
  bool verify(const std::vector<std::string>& shape, double error, double tolerance);

  const Results& results() const { return results_; }
  /// Notes that the time was over before all was measured.
  void stop() { results_.stopped = true; }

private:
  void check_shape(const std::vector<std::string>& shape) const;
  void check_time() const;
  void show_progress() const;

  std::string name_;
  Device device_;
  bool quick_;
  Clock::time_point deadline_;
  cudaStream_t stream_ = nullptr;
  Results results_;
};

} // namespace moesim::microbench
