#include "sim/metrics/step_result.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace moesim {

namespace {

using R = StepResult;

constexpr auto columns = std::to_array<ResultColumn>({
    {"step_time_ms", "wall time of one optimizer step", &R::step_time_ms},
    {"step_time_low_ms",
     "lower end of its 90 % interval: where published steps lie around predictions that were not "
     "fitted to them, wider if this step's costs are less certain",
     &R::step_time_low_ms},
    {"step_time_high_ms", "upper end of its 90 % interval", &R::step_time_high_ms},
    {"cost_error_percent",
     "half the width of a 90 % interval from the errors of kernel and network costs, and of an "
     "approximate replay, alone",
     &R::cost_error_percent},
    {"tokens_per_s", "global batch x sequence length / step time", &R::tokens_per_s},
    {"tokens_per_s_per_gpu", "tokens_per_s / GPUs", &R::tokens_per_s_per_gpu},
    {"model_tflops_per_gpu",
     "3 x forward FLOPs of the model (causal attention counted half, no recomputation) / step "
     "time / GPUs",
     &R::model_tflops_per_gpu},
    {"mfu_percent", "model_tflops_per_gpu over the dense peak at the training precision",
     &R::mfu_percent},
    {"mfu_bf16_percent", "model_tflops_per_gpu over the dense bf16 peak", &R::mfu_bf16_percent},
    {"memory_gib_per_gpu", "estimate for the fullest GPU", &R::memory_gib_per_gpu},
    {"allocated_gib_per_gpu", "of these, what its allocator counts", &R::allocated_gib_per_gpu},
    {"compute_ms", "critical device: computing", &R::compute_ms},
    {"ep_exposed_ms", "critical device: waiting for dispatch or combine", &R::ep_exposed_ms},
    {"pp_bubble_ms", "critical device: waiting for another pipeline stage", &R::pp_bubble_ms},
    {"tp_exposed_ms", "critical device: waiting for tensor parallelism", &R::tp_exposed_ms},
    {"dp_exposed_ms", "critical device: waiting for gradient reduction and weight gathering",
     &R::dp_exposed_ms},
    {"optimizer_ms", "critical device: in the optimizer", &R::optimizer_ms},
    {"other_ms", "critical device: waiting for its host to launch; after its last operation",
     &R::other_ms},
    {"ep_total_ms", "critical device: dispatch and combine, hidden or not", &R::ep_total_ms},
    {"ep_exposed_percent", "ep_exposed_ms over step_time_ms", &R::ep_exposed_percent},
    {"ep_scale_out_ms",
     "part of ep_exposed_ms: between scale-up domains, by the busiest links' times alone",
     &R::ep_scale_out_ms},
    {"dispatch_ms", "part of ep_total_ms: tokens, and gradients of results, to the experts",
     &R::dispatch_ms},
    {"combine_ms", "part of ep_total_ms: results, and gradients of tokens, back", &R::combine_ms},
    {"attention_ms", "part of compute_ms", &R::attention_ms},
    {"router_ms", "part of compute_ms", &R::router_ms},
    {"permute_ms", "part of compute_ms: packing tokens by expert and back", &R::permute_ms},
    {"expert_ms", "part of compute_ms: routed experts", &R::expert_ms},
    {"shared_expert_ms", "part of compute_ms", &R::shared_expert_ms},
    {"dense_ms", "part of compute_ms: dense feed-forwards", &R::dense_ms},
    {"head_ms", "part of compute_ms: embedding, head and loss", &R::head_ms},
    {"feed_forward_ms", "permute_ms, expert_ms, shared_expert_ms and dense_ms together",
     &R::feed_forward_ms},
    {"dense_step_time_ms",
     "dense twin (every expert active for every token), best of its own plans",
     &R::dense_step_time_ms},
    {"ideal_speedup", "FLOPs of the dense twin / FLOPs of the MoE", &R::ideal_speedup},
    {"actual_speedup", "dense_step_time_ms / step_time_ms", &R::actual_speedup},
    {"savings_kept_percent", "100 (actual_speedup - 1) / (ideal_speedup - 1)",
     &R::savings_kept_percent},
    {"active_dense_step_time_ms",
     "dense model of the same active parameters, best of its own plans",
     &R::active_dense_step_time_ms},
    {"moe_tax_percent", "100 (step_time_ms / active_dense_step_time_ms - 1)", &R::moe_tax_percent},
    {"uneven_step_time_ms",
     "step time of the same plan under loads of routing.uneven_concentration",
     &R::uneven_step_time_ms},
    {"uneven_savings_kept_percent", "savings_kept_percent at uneven_step_time_ms",
     &R::uneven_savings_kept_percent},
    {"uneven_reason", "the reason why uneven_step_time_ms is empty, although it was asked for",
     &R::uneven_reason},
    {"lost_router_percent",
     "points of the saving lost to the router, and to packing tokens by expert; the ten terms add "
     "up to 100 - savings_kept_percent",
     &R::lost_router_percent},
    {"lost_expert_gemm_percent",
     "points lost to computes below the efficiency of the dense twin: small and grouped products",
     &R::lost_expert_gemm_percent},
    {"lost_imbalance_percent", "points lost to uneven loads (imbalance_ms)",
     &R::lost_imbalance_percent},
    {"lost_ep_scale_up_percent", "points lost to exposed all-to-all inside scale-up domains",
     &R::lost_ep_scale_up_percent},
    {"lost_ep_scale_out_percent", "points lost to exposed all-to-all between scale-up domains",
     &R::lost_ep_scale_out_percent},
    {"lost_pp_percent", "points lost to the pipeline bubble", &R::lost_pp_percent},
    {"lost_tp_percent", "points lost to exposed tensor parallelism", &R::lost_tp_percent},
    {"lost_dp_percent", "points lost to exposed data parallelism", &R::lost_dp_percent},
    {"lost_optimizer_percent", "points lost to the optimizer", &R::lost_optimizer_percent},
    {"lost_other_percent", "points lost to the host, and after the last operation",
     &R::lost_other_percent},
    {"load_max_over_mean", "tokens of the busiest expert over the mean", &R::load_max_over_mean},
    {"dropped_tokens_percent", "routed tokens beyond the capacity factor",
     &R::dropped_tokens_percent},
    {"load_gini", "Gini coefficient of the experts' loads, of the most uneven layer",
     &R::load_gini},
    {"load_coefficient_of_variation",
     "standard deviation of the experts' loads over their mean, of the most uneven layer",
     &R::load_coefficient_of_variation},
    {"rank_load_max_over_mean", "tokens of the busiest rank of a group over the mean",
     &R::rank_load_max_over_mean},
    {"straggler_ms", "what ranks of the mean load wait in a step for the busiest one's experts",
     &R::straggler_ms},
    {"imbalance_ms",
     "step_time_ms less that of a step whose ranks have the mean load each, replayed in the same "
     "way",
     &R::imbalance_ms},
    {"imbalance_gemm_ms", "of that: uneven experts, with an even all-to-all",
     &R::imbalance_gemm_ms},
    {"imbalance_all_to_all_ms", "of that: the uneven all-to-all besides",
     &R::imbalance_all_to_all_ms},
    {"extrapolated_percent",
     "share of compute_ms and optimizer_ms whose kernel costs lie outside measured tables",
     &R::extrapolated_percent},
    {"idle_gpus", "GPUs left idle in scale-up domains so that no group straddles two",
     &R::idle_gpus},
    {"cuda_graph_scope", "kernels that ran as CUDA graphs; the host launched the others",
     &R::cuda_graph_scope},
    {"cuda_graph_scope_origin",
     "given: by the scenario; default: Megatron-Core's, as the scenario says nothing; search: part "
     "of the best plan",
     &R::cuda_graph_scope_origin},
    {"straddling_ms",
     "where groups straddle two scale-up domains: step_time_ms less that of groups placed whole",
     &R::straddling_ms},
    {"plan", "the plan of the step, each assignment as --set takes it", &R::plan},
    {"plans_legal", "of a search: plans that can run", &R::plans_legal},
    {"plans_fit", "of a search: legal plans that fit into memory", &R::plans_fit},
    {"plans_replayed",
     "of a search: plans that were replayed; all others have a lower bound above the best",
     &R::plans_replayed},
    {"expert_parallel", "ranks that share the experts of a layer", &R::expert_parallel},
    {"data_parallel", "data-parallel degree of the attention layers", &R::data_parallel},
    {"micro_batches", "micro-batches of one pipeline in one step", &R::micro_batches},
    {"bottleneck", "the resource with the highest use", &R::bottleneck},
    {"ep_limited_by",
     "the cause of most of ep_total_ms: a class of links, the rate of the kernel that copies, "
     "whatever the links, or start-ups",
     &R::ep_limited_by},
    {"extrapolated_costs", "costs outside measurements; kernels with their share of the step",
     &R::extrapolated_costs},
    {"stand_ins",
     "costs of this cluster without a measurement, each with the measurement of something else "
     "that stands in",
     &R::stand_ins},
    {"folding",
     "exact, or approximate: ranks of a stage differ, and one stands for all with the loads of its "
     "busiest links",
     &R::folding},
});

} // namespace

std::span<const ResultColumn> result_columns() {
  return columns;
}

std::string cell_text(const StepResult& result, const ResultColumn& column) {
  if (const auto* text = std::get_if<std::string StepResult::*>(&column.member))
    return result.*(*text);
  const double value = result.*std::get<double StepResult::*>(column.member);
  return std::isnan(value) ? "" : fmt::format("{:.9g}", value);
}

double savings_kept_at(const StepResult& result, double step_time_ms) {
  return result.ideal_speedup > 1.0 ? 100.0 * (result.dense_step_time_ms / step_time_ms - 1.0) /
                                          (result.ideal_speedup - 1.0)
                                    : no_value;
}

std::optional<double> column_at_step_time(const StepResult& result, const ResultColumn& column,
                                          double step_time_ms) {
  const auto* member = std::get_if<double StepResult::*>(&column.member);
  if (!member)
    return std::nullopt;
  if (*member == &R::step_time_ms)
    return step_time_ms;
  if (*member == &R::savings_kept_percent)
    return savings_kept_at(result, step_time_ms);
  if (*member == &R::moe_tax_percent)
    return 100.0 * (step_time_ms / result.active_dense_step_time_ms - 1.0);
  for (const auto rate : {&R::tokens_per_s, &R::tokens_per_s_per_gpu, &R::model_tflops_per_gpu,
                          &R::mfu_percent, &R::mfu_bf16_percent, &R::actual_speedup})
    if (*member == rate)
      return result.*rate * result.step_time_ms / step_time_ms;
  return std::nullopt;
}

} // namespace moesim
