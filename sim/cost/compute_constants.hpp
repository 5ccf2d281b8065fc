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
  double in_switch = 0.0;    ///< sums taken by the scale-up switch; 0 where no such switch exists
  double send_receive = 0.0; ///< all-to-all, point-to-point
};

/// A number and how far it may be off, with a confidence of 90 %, as a share of it.
struct Uncertain {
  double value = 0.0;
  double error = 0.0;
};

/// The scalar constants of kernel times, from `calibration/compute_constants.csv`, where each has
/// its unit, provenance and source.
struct ComputeConstants {
  Uncertain memory_bandwidth_share; ///< of peak, reached by a kernel that streams
  Uncertain kernel_fixed_time_us;   ///< launch and tail of the smallest kernel
  Uncertain gemm_roofline_efficiency;
  Uncertain grouped_gemm_ratio;            ///< grouped over single product, where no table says it
  Uncertain grouped_weight_gradient_ratio; ///< over the forward product of as many tokens
  Uncertain grouped_bias_efficiency_ratio; ///< of grouped products with biases over those without
  Uncertain cast_time_ratio;               ///< of a framework's cast to fp8 over the tables'
  Uncertain mx_grouped_cast_time_ratio;    ///< the same of casts expert by expert
  Uncertain attention_roofline_efficiency;
  Uncertain attention_backward_efficiency_ratio; ///< backward over forward efficiency
  Uncertain attention_mla_efficiency_ratio;      ///< over the table of the value width
  Uncertain host_operator_time_us;      ///< of a Xeon, for a call of the framework, not captured
  Uncertain host_launch_time_us;        ///< for a further kernel that such a call launches
  Uncertain sustained_throughput_ratio; ///< long runs over the tables' boost clocks
  CommunicationSms sms_pcie;            ///< by the medium of the scale-up domain
  CommunicationSms sms_nvlink3;
  CommunicationSms sms_nvlink4;
  CommunicationSms sms_nvlink5;
  double expert_kernel_sms = 0.0;               ///< of a fused dispatch or combine kernel: DeepEP
  double hybrid_kernel_sms = 0.0;               ///< the same of HybridEP
  Uncertain expert_kernel_beside_compute_ratio; ///< its rate beside computes over that alone
  Uncertain all_to_all_beside_compute_ratio;    ///< the same of NCCL's all-to-all
  /// The rate over EFA of NCCL's all-to-all inside a training step over that of a benchmark.
  Uncertain efa_all_to_all_in_training_ratio;

  /// The SMs that communication holds on a scale-up medium, and the medium that they are of: those
  /// of NVLink 5 stand in for NVLink 6's.
  std::pair<std::string, const CommunicationSms&> sms_on(const std::string& medium) const;

  /// Throws InputError if the file is missing, malformed, or lacks or repeats a constant.
  static ComputeConstants read(const std::filesystem::path& path);
};

} // namespace moesim
