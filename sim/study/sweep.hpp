#pragma once

#include "sim/report/report_table.hpp"
#include "sim/study/simulate.hpp"
#include "sim/study/sweep_journal.hpp"
#include "sim/study/sweep_plan.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

struct SweepOptions {
  std::filesystem::path folder; ///< where the journal, results.csv and the report go
  std::filesystem::path calibration;
  std::string version;
  std::size_t jobs = 1;  ///< tasks at a time, each a process: a point, or a twin's search
  std::size_t shard = 1; ///< of `shards`, from 1: this run's part of the points
  std::size_t shards = 1;
  bool twins = true;     ///< compare each point with its dense twins
  std::size_t plans = 1; ///< that a search keeps, the fastest first
  bool restart = false;  ///< replace what another sweep left in the folder
};

/// How far a run of a sweep is.
struct SweepProgress {
  std::size_t points = 0;   ///< of this run's part
  std::size_t illegal = 0;  ///< of these, never simulated
  std::size_t before = 0;   ///< of these, finished by earlier runs
  std::size_t finished = 0; ///< of these, finished by this run
  std::size_t damaged = 0;  ///< lines of the journal, whose tasks run again
  /// Nothing while too few tasks have ended to tell.
  std::optional<double> seconds_left = std::nullopt;

  /// Points that this run has to simulate, finished or not.
  std::size_t to_run() const { return points - illegal - before; }
};
/// Called before the first task of a run and after each.
using SweepObserver = std::function<void(const SweepProgress&)>;

/// The answer of a sweep at one point.
struct PointAnswer {
  StepResult result;
  std::vector<PlanRank> best_plans; ///< of a search, where SweepOptions::plans asks for several
};

/// The inputs, settings and version on which the answers of a run depend.
SweepIdentity sweep_identity(const SweepPlan& plan, const SweepOptions& options);

/// Simulates the points that the journal of `folder` lacks. Answers by the number of the point in
/// the plan, of this shard's points. A point that breaks has the status `failed` and its message as
/// the reason; so has one whose process was killed twice, which the next run tries again.
std::map<std::size_t, PointAnswer> run_points(const SweepPlan& plan, const SweepOptions& options,
                                              const SweepObserver& observe);

/// Simulates the points that the journal lacks and writes `folder`/results.csv, points in order:
/// the same bytes whatever the number of jobs and however often it was interrupted.
ReportTable run_sweep(const SweepPlan& plan, const SweepOptions& options,
                      const SweepObserver& observe);

/// A results.csv as it was written. Throws InputError if it is missing or malformed.
ReportTable read_results(const std::filesystem::path& path);

} // namespace moesim
