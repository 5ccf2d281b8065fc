#pragma once

#include "cuda_microbench/core/benchmark.hpp"

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

namespace moesim::microbench {

/// The options of a run: its length, the folder of its results, its processes.
struct RunOptions {
  bool quick = false;
  double minutes = 0.0;             ///< 0: as long as it takes
  std::filesystem::path csv_folder; ///< <benchmark>.csv for each; empty: no files
  Ranks* ranks = nullptr;           ///< of a run of several processes; the first one prints
};

/// How a run ended.
enum class Ending {
  measured,
  failed,     ///< a benchmark failed; the others were measured
  device_lost ///< the GPU could not be used any more; the cases before are kept
};

/// Runs the benchmarks on the device: first all cases of shipped models' shapes, then the rest, so
/// that a run that is cut off has those of every benchmark. A benchmark's file is written after
/// each of its two turns, so that nothing finished is lost; none is written without rows. Tables go
/// to `tables`, progress and what failed to `log`.
Ending measure_all(const std::vector<Benchmark>& benchmarks, Machine& machine, const Device& device,
                   const RunOptions& options, std::ostream& tables, std::ostream& log);

} // namespace moesim::microbench
