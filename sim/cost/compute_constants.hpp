#pragma once

#include "sim/base/units.hpp"

#include <filesystem>
#include <string>
#include <utility>

namespace moesim {

/// Streaming multiprocessors that a communication kernel of NCCL holds while it runs across nodes;
/// compute kernels cannot use them meanwhile.
struct CommunicationSms {
  double ring = 0.0;         ///< all-gather, reduce-scatter, all-reduce without in-switch reduction
  double in_switch = 0.0;    ///< sums in the scale-up switch; 0 if there is no such switch
  double send_receive = 0.0; ///< all-to-all, point-to-point
};

/// A number with its relative error at a confidence of 90 %.
struct Uncertain {
  double value = 0.0;
  double error = 0.0;
};

/// The scalar constants of kernel times. `calibration/compute_constants.csv` gives the unit,
/// provenance and source of each.
struct ComputeConstants {
  Uncertain memory_bandwidth_share; ///< share of the peak that a streaming kernel reaches
  Uncertain kernel_fixed_time_us;   ///< launch and tail of the smallest kernel
  Uncertain gemm_roofline_efficiency;
  Uncertain grouped_gemm_ratio;            ///< efficiency of a grouped over a single GEMM, without
                                           ///< a table
  Uncertain grouped_weight_gradient_ratio; ///< efficiency over that of the forward GEMM of the same
                                           ///< tokens
  Uncertain grouped_bias_efficiency_ratio; ///< grouped GEMMs with biases over those without
  Uncertain cast_time_ratio;               ///< a framework's cast to fp8 over the tables'
  Uncertain mx_grouped_cast_time_ratio;    ///< the same for casts expert by expert
  Uncertain attention_roofline_efficiency;
  Uncertain attention_backward_efficiency_ratio; ///< backward over forward efficiency
  Uncertain attention_mla_efficiency_ratio;      ///< over the table at the width of the values
  Uncertain host_operator_time_us;      ///< time of a Xeon for a call of the framework outside CUDA
                                        ///< graphs
  Uncertain host_launch_time_us;        ///< time of a further kernel launch in the same call
  Uncertain sustained_throughput_ratio; ///< long runs over the tables' boost clocks
  CommunicationSms sms_pcie;            ///< by the interconnect of the scale-up domain
  CommunicationSms sms_nvlink3;
  CommunicationSms sms_nvlink4;
  CommunicationSms sms_nvlink5;
  double expert_kernel_sms = 0.0;               ///< SMs of a fused dispatch or combine kernel of
                                                ///< DeepEP
  double hybrid_kernel_sms = 0.0;               ///< the same for HybridEP
  Uncertain expert_kernel_beside_compute_ratio; ///< its rate beside computes over its rate alone
  Uncertain all_to_all_beside_compute_ratio;    ///< the same for NCCL's all-to-all
  /// Rate of NCCL's all-to-all over EFA inside a training step, over its rate in a benchmark.
  Uncertain efa_all_to_all_in_training_ratio;

  /// The SMs that communication holds on a scale-up interconnect, and the interconnect where they
  /// were measured: NVLink 6 takes those of NVLink 5.
  std::pair<std::string, const CommunicationSms&> sms_on(const std::string& interconnect) const;

  /// Throws InputError if the file is missing, malformed, or lacks or repeats a constant.
  static ComputeConstants read(const std::filesystem::path& path);
};

} // namespace moesim
