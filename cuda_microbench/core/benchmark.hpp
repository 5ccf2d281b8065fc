#pragma once

#include "cuda_microbench/core/machine.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace moesim::microbench {

class Recorder;
class Ranks;

/// One microbenchmark: a table of cases, measured one after the other.
struct Benchmark {
  std::string name;                 ///< also the name of its CSV file
  std::string description;          ///< one line, for --list
  std::vector<std::string> columns; ///< the shape of a case; units in the names
  /// Attempts all the cases (Recorder::attempt). It is called once for each Importance.
  void (*run)(Recorder&) = nullptr;
  bool needs_ranks = false; ///< measured by several processes together
};

/// Makes a benchmark known, as a static object of its file: `const Registration registration{{…}};`
struct Registration {
  explicit Registration(Benchmark benchmark);
};

/// All benchmarks of the program, in the order of their names.
std::vector<Benchmark> registered_benchmarks();

/// Which cases come first, so that a run that is cut off has them.
enum class Importance {
  shipped, ///< a shape of the models in workloads/, or what every step needs
  grid     ///< the rest of the table
};
constexpr Importance importances[] = {Importance::shipped, Importance::grid};

/// Thrown by a Recorder whose time is over: the cases that are left are not measured.
struct OutOfTime {};

/// The GPU cannot be used any more by this process: CUDA reports the same error for every call.
struct DeviceLost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The device, a stream, and the methods that measure a case. A case's `shape` has a cell for each
/// column; std::logic_error otherwise, or if a case comes twice.
/// More than 15 methods: a case is attempted, checked, timed or skipped by it, and nothing else.
class Recorder {
public:
  using Clock = std::chrono::steady_clock;

  /// Makes `device` the current one. `quick` asks for few and small cases, as a test has time for.
  Recorder(const Benchmark& benchmark, Machine& machine, const Device& device, bool quick);
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder();

  bool quick() const { return quick_; }
  const Device& device() const { return device_; }
  Machine& machine() { return machine_; }
  /// The stream that cases are measured on; it waits for the default stream and the other way.
  Stream stream() const { return stream_; }
  /// The processes that measure together; nullptr where this process is alone.
  Ranks* ranks() const { return ranks_; }
  void join(Ranks* ranks) { ranks_ = ranks; }

  /// From here on only cases of this importance are measured, and none begins after `deadline`.
  void start(Importance importance, Clock::time_point deadline);
  bool is_turn(Importance importance) const { return importance == importance_; }
  /// Calls `measure_case` if it is the turn of its importance. If that throws, the case is skipped
  /// with the reason and the rest goes on. Throws OutOfTime after the deadline, and DeviceLost if
  /// the GPU cannot be used any more.
  void attempt(Importance importance, const std::vector<std::string>& shape,
               const std::function<void()>& measure_case);

  /// Measures a case and keeps its row (see Machine::measure).
  void time(const std::vector<std::string>& shape, const Work& work, const Launch& launch,
            const MeasureOptions& options = {});
  /// Keeps the row of a case that the benchmark measured itself.
  void record(const std::vector<std::string>& shape, const Work& work,
              const Measurement& measurement);
  /// Keeps why a case is not measured.
  void skip(const std::vector<std::string>& shape, const std::string& reason);
  /// Runs `launch` once and waits for it: the result is what a check before the measurement sees.
  void run_once(const Launch& launch);
  /// Whether the case's result is right: `error` at most `tolerance`, and a number. If not, the
  /// case is skipped as "wrong by …", so that a wrong kernel prints no time:
  /// `if (recorder.verify(shape, error, tolerance)) recorder.time(shape, work, launch);`
  bool verify(const std::vector<std::string>& shape, double error, double tolerance);

  const Results& results() const { return results_; }
  /// Notes that the time was over before all was measured.
  void stop() { results_.stopped = true; }
  /// Notes why the benchmark ended before its last case.
  void fail(const std::string& reason) { results_.failure = reason; }

private:
  bool is_over();
  void check_shape(const std::vector<std::string>& shape) const;
  bool has(const std::vector<std::string>& shape) const;
  void show_progress() const;

  std::string name_;
  Machine& machine_;
  Device device_;
  bool quick_;
  Importance importance_ = Importance::shipped;
  Clock::time_point deadline_ = Clock::time_point::max();
  Stream stream_;
  Ranks* ranks_ = nullptr;
  Results results_;
};

} // namespace moesim::microbench
