#pragma once

#include "sim/study/sweep_plan.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The price of a candidate, in money of any one currency: by the hour, or the cluster as a whole.
struct ClusterPrice {
  std::optional<double> per_gpu_hour = std::nullopt;
  double capital = 0.0; ///< of the whole cluster, whatever the job takes of it
  double years = 0.0;   ///< over which the capital is written off
  double power_per_kwh = 0.0;
};

/// A plan file, read and checked: every candidate is known before the first is simulated.
struct PlanFile {
  /// Its points are the candidates, a point for each number of GPUs; columns `candidate`,
  /// `cluster.topology`, `cluster.gpus`.
  SweepPlan sweep;
  std::vector<ClusterPrice> prices; ///< by point
  double tokens = 0.0;              ///< to train in all
  std::optional<double> deadline_days = std::nullopt;
};

/// Reads a plan file (workloads/PLAN.md) under `--set` assignments. Each candidate is a scenario
/// whose plan is searched; one that cannot run is a point with a reason. Throws InputError.
PlanFile read_plan_file(const std::filesystem::path& path,
                        const std::vector<std::string>& settings);

} // namespace moesim
