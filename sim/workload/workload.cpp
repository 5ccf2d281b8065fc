#include "sim/workload/workload.hpp"

namespace moesim {

std::int64_t experts_per_rank(const Workload& workload) {
  return (workload.model.experts.experts + workload.routing.redundant_experts) /
         workload.plan.expert;
}

std::int64_t tokens_per_rank(const Workload& workload) {
  const std::int64_t tokens =
      workload.training.micro_batch * workload.training.sequence_length / workload.plan.context;
  return workload.plan.sequence_parallel ? tokens / workload.plan.tensor : tokens;
}

} // namespace moesim
