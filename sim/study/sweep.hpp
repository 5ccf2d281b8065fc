#pragma once

#include "sim/report/report_table.hpp"
#include "sim/study/sweep_plan.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace moesim {

struct SweepOptions {
  std::filesystem::path folder; ///< where the journal, results.csv and the report go
  std::filesystem::path calibration;
  std::string version;
  std::size_t jobs = 1;  ///< tasks at a time, each a process: a point, or a twin's search
  std::size_t shard = 1; ///< of `shards`, from 1: this run's part of the points
  std::size_t shards = 1;
  bool twins = true;    ///< compare each point with its dense twins
  bool restart = false; ///< replace what another sweep left in the folder
};

/// How far a run of a sweep is.
struct SweepProgress {
  std::size_t points = 0;   ///< of this run's part
  std::size_t illegal = 0;  ///< of these, never simulated
  std::size_t before = 0;   ///< of these, finished by earlier runs
  std::size_t finished = 0; ///< of these, finished by this run
  /// Nothing while too few tasks have ended to tell.
  std::optional<double> seconds_left = std::nullopt;

  /// Points that this run has to simulate, finished or not.
  std::size_t to_run() const { return points - illegal - before; }
};
/// Called before the first task of a run and after each.
using SweepObserver = std::function<void(const SweepProgress&)>;

/// Simulates the points that the journal lacks and writes `folder`/results.csv, points in order:
/// the same bytes whatever the number of jobs and however often it was interrupted.
/// A point that breaks has the status `failed` and its message as the reason.
ReportTable run_sweep(const SweepPlan& plan, const SweepOptions& options,
                      const SweepObserver& observe);

/// A results.csv as it was written. Throws InputError if it is missing or malformed.
ReportTable read_results(const std::filesystem::path& path);

} // namespace moesim
