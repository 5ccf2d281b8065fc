#include "sim/schedule/stage_parameters.hpp"

#include <iterator>
#include <numeric>

namespace moesim {

std::int64_t first_layer(const ParallelPlan& plan, std::int64_t virtual_stage) {
  const auto& split = plan.layers_per_stage;
  return std::accumulate(split.begin(), split.begin() + virtual_stage, std::int64_t{0});
}

bool holds(const ParallelPlan& plan, std::int64_t stage, std::int64_t virtual_stage) {
  for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk)
    if (plan.virtual_stage(stage, chunk) == virtual_stage)
      return true;
  return false;
}

StageParameters chunk_parameters(const Workload& workload, std::int64_t virtual_stage) {
  const ModelSpec& model = workload.model;
  const ParallelPlan& plan = workload.plan;
  StageParameters sum;
  const std::int64_t first = first_layer(plan, virtual_stage);
  const std::int64_t count = plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)];
  LayerParameters p;
  for (std::int64_t layer = first; layer < first + count; ++layer) {
    const auto spec = model.layers.begin() + layer;
    if (layer == first || *spec != *std::prev(spec))
      p = layer_parameters(model, *spec);
    sum.dense_per_rank += p.shared_by_tokens;
    sum.expert_per_rank += p.routed_experts / (plan.expert * plan.expert_tensor);
  }
  const std::int64_t matrix = model.vocabulary * model.hidden;
  if (virtual_stage == 0)
    sum.dense_per_rank += matrix;
  if (virtual_stage == plan.virtual_stage_count() - 1) {
    if (!(model.tied_embeddings && holds(plan, plan.holder(virtual_stage, 0), 0)))
      sum.dense_per_rank += matrix;
    sum.dense_per_rank += model.hidden; // the final norm
    const LayerParameters mtp =
        model.mtp_layers > 0 ? mtp_layer_parameters(model) : LayerParameters{};
    sum.dense_per_rank += model.mtp_layers * mtp.shared_by_tokens;
    sum.expert_per_rank +=
        model.mtp_layers * mtp.routed_experts / (plan.expert * plan.expert_tensor);
  }
  sum.dense_per_rank /= plan.tensor;
  if (model.is_moe())
    sum.replicas_per_rank =
        sum.expert_per_rank / model.experts.experts * workload.routing.redundant_experts;
  return sum;
}

StageParameters stage_parameters(const Workload& workload, std::int64_t stage) {
  StageParameters sum;
  for (std::int64_t chunk = 0; chunk < workload.plan.chunks(); ++chunk) {
    const StageParameters part =
        chunk_parameters(workload, workload.plan.virtual_stage(stage, chunk));
    sum.dense_per_rank += part.dense_per_rank;
    sum.expert_per_rank += part.expert_per_rank;
    sum.replicas_per_rank += part.replicas_per_rank;
  }
  return sum;
}

} // namespace moesim
