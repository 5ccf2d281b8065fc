#pragma once

#include "sim/metrics/step_result.hpp"
#include "sim/study/plan_file.hpp"

namespace moesim {

/// Power of a node over that of its GPUs at their board power. Published: a node of 8 H100 drew at
/// most 8.4 kW in training (arXiv 2412.08602), its boards 8 x 700 W. Other nodes: an assumption.
constexpr double node_power_ratio = 1.5;
/// Power of the site over that of its nodes: network, cooling and losses. An assumption.
constexpr double site_power_ratio = 1.25;
/// Widening of a step's error per unit of validated distance. An assumption (DEVIATIONS.md 47).
constexpr double error_per_distance = 0.1;

/// A quantity with its interval.
struct Spread {
  double value = no_value;
  double low = no_value;
  double high = no_value;
};

/// The training of a whole model on one candidate.
struct TrainingCost {
  Spread days;
  Spread gpu_hours;
  Spread cost;
  Spread energy_mwh;
};

/// The inputs of that beside the step.
struct TrainingJob {
  double tokens = 0.0;          ///< in all
  double tokens_per_step = 0.0; ///< of the global batch
  double gpus = 0.0;
  double idle_gpus = 0.0;     ///< that stay idle beside these, and are paid for
  double board_power_w = 0.0; ///< of one GPU
  ClusterPrice price;
};

/// Step time with its interval, widened by `1 + error_per_distance x distance`, in milliseconds.
Spread widened_step(const StepResult& step, double distance);

/// Days, GPU-hours, cost and energy of as many steps as the tokens take, at a constant step time:
///   days = tokens / tokens_per_step x step;  gpu_hours = 24 x days x (gpus + idle_gpus);
///   energy = 24 x days x gpus x board power x node_power_ratio x site_power_ratio;
///   cost = gpu_hours x price, or capital x days / (365 x years) + energy x price of power.
TrainingCost training_cost(const Spread& step_ms, const TrainingJob& job);

} // namespace moesim
