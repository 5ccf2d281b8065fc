#pragma once

#include "sim/workload/model_spec.hpp"
#include "sim/workload/parallel_plan.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace moesim {

/// A plan as the scenario gives it; keys that it leaves out have their defaults.
struct PlanInput {
  ParallelPlan written = {};              ///< `gpus`, `expert` and `layers_per_stage` are not read
  std::optional<std::int64_t> expert = 1; ///< nothing: the largest legal degree
  std::optional<std::vector<std::int64_t>> layers_per_stage = std::nullopt; ///< nothing:
                                                                            ///< spread_layers
};

/// The plan for a model on `gpus` GPUs. It may break a rule: see find_plan_fault.
ParallelPlan resolve_plan(const PlanInput& input, const ModelSpec& model, std::int64_t gpus);

} // namespace moesim
