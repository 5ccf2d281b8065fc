#pragma once

#include "sim/base/units.hpp"

#include <filesystem>

namespace moesim {

/// Streaming multiprocessors that a communication kernel of NCCL holds while it runs across nodes;
/// compute kernels cannot use them meanwhile.
struct CommunicationSms {
  double ring = 0.0;         ///< all-gather, reduce-scatter, all-reduce without in-switch reduction
  double in_switch = 0.0;    ///< sums taken by the scale-up switch; 0 where no such switch exists
  double send_receive = 0.0; ///< all-to-all, point-to-point
};

/// The scalar constants of kernel times, from `calibration/compute_constants.csv`, where each has
/// its unit, provenance and source.
struct ComputeConstants {
  double memory_bandwidth_share = 0.0; ///< of peak, reached by a kernel that streams
  Seconds kernel_fixed_time;           ///< launch and tail of the smallest kernel
  double gemm_roofline_efficiency = 0.0;
  double grouped_gemm_ratio = 0.0; ///< grouped over single product, where no table says it
  double attention_roofline_efficiency = 0.0;
  double attention_backward_efficiency_ratio = 0.0; ///< backward over forward efficiency
  double attention_mla_efficiency_ratio = 0.0;      ///< over the table of the value width
  double sustained_throughput_ratio = 0.0;          ///< long runs over the tables' boost clocks
  CommunicationSms sms_pcie;                        ///< by the medium of the scale-up domain
  CommunicationSms sms_nvlink3;
  CommunicationSms sms_nvlink4;
  CommunicationSms sms_nvlink5;
  double expert_kernel_sms = 0.0; ///< of a fused dispatch or combine kernel (DeepEP), not NCCL

  /// Throws InputError if the file is missing, malformed, or lacks or repeats a constant.
  static ComputeConstants read(const std::filesystem::path& path);
};

} // namespace moesim
