#pragma once

#include <string>

namespace moesim {

/// The text of a `compute_constants.csv` for times worked out by hand. Kernels start in 1 us and
/// run at their peaks. Beside computes DeepEP's kernels keep 0.7 of their rate and NCCL's
/// all-to-all 0.8; over EFA the latter keeps 0.4 in a training step.
/// NCCL holds 16 SMs, DeepEP 20.
inline std::string toy_constants() {
  std::string text = "constant,value,unit,error_percent,provenance,source\n";
  const auto add = [&](const std::string& name, const std::string& cells) {
    text += name + "," + cells + ",assumption,none\n";
  };
  for (const char* name :
       {"memory_bandwidth_share", "accumulation_bandwidth_share", "gemm_roofline_efficiency",
        "grouped_gemm_ratio", "grouped_weight_gradient_ratio", "grouped_bias_efficiency_ratio",
        "cast_time_ratio", "mx_grouped_cast_time_ratio", "attention_roofline_efficiency",
        "attention_backward_efficiency_ratio", "attention_mla_efficiency_ratio",
        "sustained_throughput_ratio", "unlisted_gpu_throughput_ratio"})
    add(name, "1,ratio,10");
  for (const char* name : {"router_time_ratio", "permute_time_ratio", "sm_loss_slowdown"})
    add(name, "1,ratio,");
  for (const char* name : {"grouped_gemm_imbalance_slope", "gemm_bandwidth_slowdown"})
    add(name, "0,ratio,");
  add("host_call_time", "2,us,10");
  add("expert_kernel_beside_compute_ratio", "0.7,ratio,10");
  add("all_to_all_beside_compute_ratio", "0.8,ratio,10");
  add("efa_all_to_all_in_training_ratio", "0.4,ratio,10");
  add("kernel_fixed_time", "1,us,10");
  add("host_operator_time", "100,us,10");
  add("host_launch_time", "10,us,10");
  for (const char* name :
       {"ring_sms_pcie", "send_receive_sms_pcie", "ring_sms_nvlink3", "send_receive_sms_nvlink3",
        "ring_sms_nvlink4", "in_switch_sms_nvlink4", "send_receive_sms_nvlink4", "ring_sms_nvlink5",
        "in_switch_sms_nvlink5", "send_receive_sms_nvlink5"})
    add(name, "16,sms,");
  for (const char* name : {"expert_kernel_sms", "hybrid_kernel_sms"})
    add(name, "20,sms,");
  return text;
}

} // namespace moesim
