#pragma once

#include "sim/workload/workload.hpp"

namespace moesim {

/// The first layer of a virtual stage.
std::int64_t first_layer(const ParallelPlan& plan, std::int64_t virtual_stage);

/// Whether a stage holds a virtual stage.
bool holds(const ParallelPlan& plan, std::int64_t stage, std::int64_t virtual_stage);

/// Parameters that one rank of a stage holds.
struct StageParameters {
  std::int64_t dense_per_rank = 0;    ///< attention, norms, router, shared experts, embedding, head
  std::int64_t expert_per_rank = 0;   ///< routed experts, without further replicas
  std::int64_t replicas_per_rank = 0; ///< further replicas of routed experts
};
/// Parameters of one rank of a stage. Routed experts are split over expert and expert-tensor
/// parallelism, all others over tensor parallelism. The embedding is on the first virtual stage,
/// the head (another instance of a tied embedding, if the pipeline has several stages) on the last.
StageParameters stage_parameters(const Workload& workload, std::int64_t stage);
/// The same for one virtual stage. Parameters that the chunks of a device share (the tied
/// embedding) count on the last.
StageParameters chunk_parameters(const Workload& workload, std::int64_t virtual_stage);

} // namespace moesim
