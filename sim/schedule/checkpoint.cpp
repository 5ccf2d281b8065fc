#include "sim/schedule/checkpoint.hpp"

#include "sim/schedule/stage_parameters.hpp"
#include "sim/workload/kernel.hpp"

namespace moesim {

Bytes checkpoint_bytes(const Workload& workload) {
  const ParallelPlan& plan = workload.plan;
  const TrainingSpec& training = workload.training;
  std::int64_t parameters = 0;
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    const StageParameters of_rank = stage_parameters(workload, stage);
    parameters += of_rank.dense_per_rank * plan.tensor +
                  of_rank.expert_per_rank * plan.expert * plan.expert_tensor;
  }
  const std::int64_t weight_bytes = training.fp32_shards ? 0 : bf16_bytes;
  return Bytes{parameters * (weight_bytes + training.optimizer_bytes())};
}

} // namespace moesim
