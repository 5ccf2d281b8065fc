#pragma once

#include "sim/workload/parallel_plan.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// The order of a stage under the plan's schedule, which is legal (find_plan_fault).
StageOrder pipeline_order(const ParallelPlan& plan, std::int64_t stage, std::int64_t micro_batches);

/// The order with each whole backward pass beside the forward pass that would follow it: that one
/// comes first and so warms the stage up one pass further, and a pair never is of one micro-batch
/// in one chunk (Megatron-Core's overlap_moe_expert_parallel_comm). Of 1F1B on one stage and of
/// interleaved 1F1B.
StageOrder beside_each_other(StageOrder order);

/// The most that a stage keeps at one time under an order, where a micro-batch that has passed
/// forward keeps `kept[chunk]` until its backward pass, that of the weights included, is done. Of
/// two passes side by side one keeps layer by layer what the other frees.
std::int64_t most_kept(const StageOrder& order, const std::vector<std::int64_t>& kept);

} // namespace moesim
