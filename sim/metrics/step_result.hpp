#pragma once

#include <limits>
#include <optional>
#include <span>
#include <string>
#include <variant>

namespace moesim {

/// The value of a missing number, which prints as an empty cell.
constexpr double no_value = std::numeric_limits<double>::quiet_NaN();

/// One prediction, in the units of its columns. `result_columns` describes each.
struct StepResult {
  std::string status = "ok";
  std::string reason;
  double step_time_ms = no_value;
  double step_time_low_ms = no_value;
  double step_time_high_ms = no_value;
  double cost_error_percent = no_value;
  double tokens_per_s = no_value;
  double tokens_per_s_per_gpu = no_value;
  double model_tflops_per_gpu = no_value;
  double mfu_percent = no_value;
  double mfu_bf16_percent = no_value;
  double memory_gib_per_gpu = no_value;
  double allocated_gib_per_gpu = no_value;
  double compute_ms = no_value;
  double ep_exposed_ms = no_value;
  double pp_bubble_ms = no_value;
  double tp_exposed_ms = no_value;
  double dp_exposed_ms = no_value;
  double optimizer_ms = no_value;
  double other_ms = no_value;
  double ep_total_ms = no_value;
  double ep_exposed_percent = no_value;
  double ep_scale_out_ms = no_value;
  double dispatch_ms = no_value;
  double combine_ms = no_value;
  double attention_ms = no_value;
  double router_ms = no_value;
  double permute_ms = no_value;
  double expert_ms = no_value;
  double shared_expert_ms = no_value;
  double dense_ms = no_value;
  double head_ms = no_value;
  double feed_forward_ms = no_value;
  double dense_step_time_ms = no_value;
  double ideal_speedup = no_value;
  double actual_speedup = no_value;
  double savings_kept_percent = no_value;
  double active_dense_step_time_ms = no_value;
  double moe_tax_percent = no_value;
  double uneven_step_time_ms = no_value;
  double uneven_savings_kept_percent = no_value;
  std::string uneven_reason;
  double lost_router_percent = no_value;
  double lost_expert_gemm_percent = no_value;
  double lost_imbalance_percent = no_value;
  double lost_ep_scale_up_percent = no_value;
  double lost_ep_scale_out_percent = no_value;
  double lost_pp_percent = no_value;
  double lost_tp_percent = no_value;
  double lost_dp_percent = no_value;
  double lost_optimizer_percent = no_value;
  double lost_other_percent = no_value;
  double load_max_over_mean = no_value;
  double dropped_tokens_percent = no_value;
  double load_gini = no_value;
  double load_coefficient_of_variation = no_value;
  double rank_load_max_over_mean = no_value;
  double straggler_ms = no_value;
  double imbalance_ms = no_value;
  double imbalance_gemm_ms = no_value;
  double imbalance_all_to_all_ms = no_value;
  double extrapolated_percent = no_value;
  double idle_gpus = no_value;
  std::string cuda_graph_scope;
  std::string cuda_graph_scope_origin;
  double straddling_ms = no_value;
  std::string plan;
  double plans_legal = no_value;
  double plans_fit = no_value;
  double plans_replayed = no_value;
  double expert_parallel = no_value;
  double data_parallel = no_value;
  double micro_batches = no_value;
  std::string bottleneck;
  std::string ep_limited_by;
  std::string extrapolated_costs;
  std::string stand_ins;
  std::string folding;
};

/// A column of a result: its only declaration.
struct ResultColumn {
  const char* name;
  const char* description;
  std::variant<double StepResult::*, std::string StepResult::*> member;
};

/// The columns after `status` and `reason`, in the order of results.csv.
std::span<const ResultColumn> result_columns();

/// The text of a cell in all outputs: 9 significant digits, empty for a missing number.
std::string cell_text(const StepResult& result, const ResultColumn& column);

/// Savings kept, in percent, if the step took this time; missing if dense_step_time_ms is, or if
/// the dense twin has no more FLOPs than the MoE.
double savings_kept_at(const StepResult& result, double step_time_ms);

/// The value of a column if the step took another time and nothing else changed: of step_time_ms,
/// throughput, utilisation, speed-up, savings kept and the tax. Nothing for other columns, which do
/// not follow from the step time.
std::optional<double> column_at_step_time(const StepResult& result, const ResultColumn& column,
                                          double step_time_ms);

} // namespace moesim
