#pragma once

#include "sim/report/report_table.hpp"
#include "sim/study/sweep_plan.hpp"

#include <filesystem>
#include <functional>

namespace moesim {

struct SweepOptions {
  std::filesystem::path folder; ///< where the journal, results.csv and the report go
  std::filesystem::path calibration;
  std::string version;
  std::size_t jobs = 1;  ///< points at a time, each a process
  std::size_t shard = 1; ///< of `shards`, from 1: this run's part of the points
  std::size_t shards = 1;
  bool restart = false; ///< replace what another sweep left in the folder
};

/// Called when a point is finished, with how many are, and how many there are.
using SweepProgress = std::function<void(std::size_t finished, std::size_t total)>;

/// Simulates the points that the journal lacks and writes `folder`/results.csv, points in order:
/// the same bytes whatever the number of jobs and however often it was interrupted.
/// A point that breaks has the status `failed` and its message as the reason.
ReportTable run_sweep(const SweepPlan& plan, const SweepOptions& options,
                      const SweepProgress& progress);

/// A results.csv as it was written. Throws InputError if it is missing or malformed.
ReportTable read_results(const std::filesystem::path& path);

} // namespace moesim
