#pragma once

#include "sim/workload/workload.hpp"

namespace moesim {

/// The first layer of a virtual stage.
std::int64_t first_layer(const ParallelPlan& plan, std::int64_t virtual_stage);

/// True if a virtual stage is a chunk of a stage.
bool holds(const ParallelPlan& plan, std::int64_t stage, std::int64_t virtual_stage);

/// Parameters that one rank of a stage holds.
struct StageParameters {
  std::int64_t dense_per_rank = 0;  ///< attention, norms, router, shared experts, embedding, head
  std::int64_t expert_per_rank = 0; ///< routed experts, each once
  std::int64_t copies_per_rank = 0; ///< copies of routed experts
};
/// Everything but the routed experts is split over tensor parallelism; routed experts are split
/// over expert and expert-tensor parallelism. The embedding sits on the first virtual stage, the
/// head (a second copy of a tied embedding, if the pipeline has more than one stage) on the last.
StageParameters stage_parameters(const Workload& workload, std::int64_t stage);
/// The same for one virtual stage. What a device has in common for its chunks (the copy of a tied
/// embedding) is on the last.
StageParameters chunk_parameters(const Workload& workload, std::int64_t virtual_stage);

} // namespace moesim
