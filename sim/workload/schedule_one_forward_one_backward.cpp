#include "sim/workload/parallel_plan.hpp"
#include "sim/workload/pipeline_order.hpp"

#include <algorithm>

namespace moesim {

namespace {

/// min(stages − 1 − stage, micro_batches) forward passes to warm up, then one forward and one
/// backward in turn, then the backward passes that remain (Narayanan et al., arXiv 2104.04473,
/// section 2.2).
StageOrder order_of_1f1b(const ParallelPlan& plan, std::int64_t stage, std::int64_t micro_batches) {
  const std::int64_t warm_up = std::min(plan.pipeline - 1 - stage, micro_batches);
  StageOrder order;
  order.reserve(static_cast<std::size_t>(2 * micro_batches));
  for (std::int64_t forward = 0; forward < warm_up; ++forward)
    order.push_back({Pass::forward, forward});
  for (std::int64_t backward = 0; backward < micro_batches; ++backward) {
    if (backward + warm_up < micro_batches)
      order.push_back({Pass::forward, backward + warm_up});
    order.push_back({Pass::backward, backward});
  }
  return plan.overlap_batches ? beside_each_other(std::move(order)) : order;
}

bool has_one_stage(const ParallelPlan& plan) {
  return plan.pipeline == 1;
}

} // namespace

constinit const Schedule Schedule::one_forward_one_backward = {
    .name = "1f1b", .order = order_of_1f1b, .pairs_passes = has_one_stage};

} // namespace moesim
