#include "cuda_microbench/core/measure_all.hpp"

#include "cuda_microbench/core/csv_output.hpp"
#include "cuda_microbench/core/ranks.hpp"

#include <fmt/format.h>

#include <memory>
#include <ostream>

namespace moesim::microbench {

namespace {

using Clock = Recorder::Clock;

/// The end of the next turn of `turns_left` of the same importance: what is left of the time is
/// shared out evenly among them, so that a turn which ends early leaves its rest to those after it,
/// and less important ones have what is left then.
Clock::time_point next_deadline(Clock::time_point end, std::size_t turns_left) {
  if (end == Clock::time_point::max())
    return end;
  const Clock::time_point now = Clock::now();
  return now + (end - now) / static_cast<int>(turns_left);
}

Clock::time_point end_of_run(double minutes) {
  if (minutes <= 0.0)
    return Clock::time_point::max();
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(60.0 * minutes));
}

/// One run of several benchmarks.
class Run {
public:
  Run(Machine& machine, const Device& device, const RunOptions& options, std::ostream& log)
      : machine_(machine), device_(device), options_(options), log_(log) {}

  void add(const Benchmark& benchmark) {
    recorders_.push_back(std::make_unique<Recorder>(benchmark, machine_, device_, options_.quick));
    recorders_.back()->join(options_.ranks);
  }

  /// The cases of one importance of a benchmark. False if the device is lost.
  bool take_turn(const Benchmark& benchmark, std::size_t number, Importance importance,
                 Clock::time_point deadline) {
    Recorder& recorder = *recorders_[number];
    recorder.start(importance, deadline);
    bool is_usable = true;
    try {
      benchmark.run(recorder);
    } catch (const OutOfTime&) {
      recorder.stop();
    } catch (const DeviceLost& error) {
      is_usable = false;
      fail(benchmark, recorder, error.what());
    } catch (const std::exception& error) {
      const std::string failure = machine_.failure();
      is_usable = failure.empty();
      fail(benchmark, recorder, is_usable ? error.what() : failure);
    }
    write(benchmark, recorder.results());
    return is_usable;
  }

  bool has_failed() const { return has_failed_; }
  const Results& results(std::size_t number) const { return recorders_[number]->results(); }

private:
  void fail(const Benchmark& benchmark, Recorder& recorder, const std::string& reason) {
    has_failed_ = true;
    recorder.fail(reason);
    log_ << fmt::format("\ncuda_microbench: {} failed: {}\n", benchmark.name, reason);
  }

  void write(const Benchmark& benchmark, const Results& results) {
    if (provenance_.empty())
      provenance_ = machine_.provenance(device_);
    if (!options_.csv_folder.empty() && !results.rows.empty())
      write_csv(options_.csv_folder, benchmark.name, csv_text(results, provenance_));
  }

  Machine& machine_;
  Device device_;
  RunOptions options_;
  std::ostream& log_;
  std::vector<std::unique_ptr<Recorder>> recorders_;
  std::vector<std::string> provenance_; ///< read once: a device that is lost has none
  bool has_failed_ = false;
};

void print(const Benchmark& benchmark, const Results& results, const RunOptions& options,
           std::ostream& tables, std::ostream& log) {
  log << fmt::format("{}: {} cases, {} skipped\n", benchmark.name, results.rows.size(),
                     results.skipped.size());
  if (results.rows.empty() && !options.csv_folder.empty())
    log << fmt::format("{}: nothing was measured, so no file is written{}\n", benchmark.name,
                       results.skipped.empty() ? "" : ": " + results.skipped.front().reason);
  tables << benchmark.name << '\n' << table_text(results) << '\n';
}

} // namespace

Ending measure_all(const std::vector<Benchmark>& benchmarks, Machine& machine, const Device& device,
                   const RunOptions& options, std::ostream& tables, std::ostream& log) {
  Run run(machine, device, options, log);
  for (const Benchmark& benchmark : benchmarks)
    run.add(benchmark);
  const Clock::time_point end = end_of_run(options.minutes);
  bool is_usable = true;
  for (const Importance importance : importances)
    for (std::size_t number = 0; number < benchmarks.size() && is_usable; ++number)
      is_usable = run.take_turn(benchmarks[number], number, importance,
                                next_deadline(end, benchmarks.size() - number));
  for (std::size_t number = 0; number < benchmarks.size(); ++number)
    print(benchmarks[number], run.results(number), options, tables, log);
  if (!is_usable)
    return Ending::device_lost;
  return run.has_failed() ? Ending::failed : Ending::measured;
}

} // namespace moesim::microbench
