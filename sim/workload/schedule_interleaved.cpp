#include "sim/base/check.hpp"
#include "sim/workload/parallel_plan.hpp"
#include "sim/workload/pipeline_order.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

/// 1F1B over several chunks a stage (Narayanan et al., arXiv 2104.04473, section 2.3; Megatron-LM's
/// order): micro-batches pass in groups of `stages`, each group through chunk 0, then through chunk
/// 1, …. A stage warms up with 2 (stages − 1 − stage) + (chunks − 1) stages passes.
StageOrder order_of_interleaved(const ParallelPlan& plan, std::int64_t stage,
                                std::int64_t micro_batches) {
  const std::int64_t stages = plan.pipeline;
  const std::int64_t chunks = plan.virtual_stages;
  INVARIANT(micro_batches % stages == 0, "{} micro-batches, {} stages", micro_batches, stages);
  const std::int64_t passes = micro_batches * chunks;
  const std::int64_t warm_up = std::min(passes, 2 * (stages - 1 - stage) + (chunks - 1) * stages);
  const auto pass_at = [&](std::int64_t number, bool backward) {
    const std::int64_t chunk = number / stages % chunks;
    return ChunkPass{backward ? Pass::backward : Pass::forward,
                     number / (stages * chunks) * stages + number % stages,
                     backward ? chunks - 1 - chunk : chunk};
  };
  StageOrder order;
  order.reserve(static_cast<std::size_t>(2 * passes));
  for (std::int64_t forward = 0; forward < warm_up; ++forward)
    order.push_back(pass_at(forward, false));
  for (std::int64_t backward = 0; backward < passes; ++backward) {
    if (backward + warm_up < passes)
      order.push_back(pass_at(backward + warm_up, false));
    order.push_back(pass_at(backward, true));
  }
  return plan.overlap_batches ? beside_each_other(std::move(order)) : order;
}

std::optional<PlanFault> find_interleaved_fault(const ParallelPlan& plan,
                                                const TrainingSpec& training) {
  const std::int64_t micro_batches = plan.micro_batches(training);
  if (plan.pipeline == 1 || plan.virtual_stages == 1)
    return PlanFault{"parallel", "schedule",
                     fmt::format("there is nothing to interleave with pipeline {} and "
                                 "virtual_stages {}",
                                 plan.pipeline, plan.virtual_stages),
                     "use 2 or more of both, or schedule = \"1f1b\""};
  if (micro_batches % plan.pipeline != 0)
    return PlanFault{
        "training", "global_batch",
        fmt::format("{} micro-batches do not come in groups of pipeline {}, which the interleaved "
                    "schedule needs",
                    micro_batches, plan.pipeline),
        fmt::format("the nearest global_batch that does is {}",
                    nearest_multiple(micro_batches, plan.pipeline) * plan.data() *
                        training.micro_batch)};
  return std::nullopt;
}

} // namespace

constinit const Schedule Schedule::interleaved = {
    .name = "interleaved",
    .order = order_of_interleaved,
    .virtual_stages = true,
    .pairs_passes = [](const ParallelPlan&) { return true; },
    .find_fault = find_interleaved_fault};

} // namespace moesim
