#pragma once

#include "sim/workload/parallel_plan.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// The order of a stage under the schedule of a legal plan (find_plan_fault).
StageOrder pipeline_order(const ParallelPlan& plan, std::int64_t stage, std::int64_t micro_batches);

/// The order with each backward pass beside the forward pass that follows it in `order`
/// (Megatron-Core's overlap_moe_expert_parallel_comm). The forward pass now comes first, so the
/// warm-up is one pass longer. The two passes of a pair never have the same micro-batch and chunk.
/// For 1F1B on one stage and for interleaved 1F1B.
StageOrder beside_each_other(StageOrder order);

/// Peak of the amount that a stage keeps under an order. A micro-batch keeps `kept[chunk]` from its
/// forward pass to the end of its backward pass, weights included. Two passes side by side need no
/// more: one keeps layer by layer the amount that the other frees.
std::int64_t most_kept(const StageOrder& order, const std::vector<std::int64_t>& kept);

} // namespace moesim
