#include "sim/workload/plan_input.hpp"

#include <algorithm>

namespace moesim {

ParallelPlan resolve_plan(const PlanInput& input, const ModelSpec& model, std::int64_t gpus) {
  ParallelPlan plan = input.written;
  plan.gpus = gpus;
  const auto layers = static_cast<std::int64_t>(model.layers.size());
  // find_plan_fault refuses a pipeline longer than the model: do not allocate its stages before.
  plan.layers_per_stage = input.layers_per_stage
                              ? *input.layers_per_stage
                              : spread_layers(layers, std::min(plan.virtual_stage_count(), layers));
  plan.expert = input.expert
                    ? *input.expert
                    : largest_expert_parallel(
                          model.is_moe() ? model.experts.experts : 0,
                          std::max<std::int64_t>(1, plan.stage_ranks() / plan.expert_tensor));
  return plan;
}

} // namespace moesim
