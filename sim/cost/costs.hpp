#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/cost/step_intervals.hpp"
#include "sim/platform/topology_spec.hpp"
#include "sim/workload/parallel_plan.hpp"

#include <filesystem>

namespace moesim {

/// The measured costs of computes and of communication, and how far off steps are.
struct Costs {
  ComputeCost compute;
  NetworkCost network;
  StepIntervals intervals = {};
};

/// Reads the tables for the GPU kind of `topology` and the precisions of `training` from the folder
/// `calibration`. Throws the errors of ComputeCost::load, NetworkCost::load and
/// StepIntervals::read.
Costs load_costs(const std::filesystem::path& calibration, const TopologySpec& topology,
                 const TrainingSpec& training);

} // namespace moesim
