#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <optional>
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
  /// The same for adding the gradient of a weight to its sum in fp32.
  Uncertain accumulation_bandwidth_share;
  Uncertain kernel_fixed_time_us; ///< launch and tail of the smallest kernel
  double router_time_ratio = 1.0; ///< of the router's kernels over the time of their GEMM and bytes
  double permute_time_ratio = 1.0; ///< of permutation over the time of its bytes
  Uncertain gemm_roofline_efficiency;
  Uncertain grouped_gemm_ratio;            ///< efficiency of a grouped over a single GEMM, without
                                           ///< a table
  Uncertain grouped_weight_gradient_ratio; ///< efficiency over that of the forward GEMM of the same
                                           ///< tokens
  /// Time of a grouped GEMM, less 1, over that of even groups, for each time that the busiest
  /// group has the mean more.
  double grouped_gemm_imbalance_slope = 0.0;
  Uncertain grouped_bias_efficiency_ratio; ///< grouped GEMMs with biases over those without
  Uncertain cast_time_ratio;               ///< a framework's cast to fp8 over the tables'
  Uncertain mx_grouped_cast_time_ratio;    ///< the same for casts expert by expert
  Uncertain attention_roofline_efficiency;
  Uncertain attention_backward_efficiency_ratio; ///< backward over forward efficiency
  Uncertain attention_mla_efficiency_ratio;      ///< over the table at the width of the values
  double sm_loss_slowdown = 1.0; ///< slow-down of a compute beside a communication that holds SMs,
                                 ///< over that of the SMs that are left, each less 1
  double gemm_bandwidth_slowdown = 0.0; ///< slow-down of a GEMM, less 1, for all of the memory
                                        ///< bandwidth that a communication beside it takes
  Uncertain host_call_time_us;          ///< time of a Xeon for one launch of an empty kernel
  /// Time of the measured host over that of a Xeon; nothing if it was not measured.
  std::optional<Uncertain> measured_host_slowdown;
  Uncertain host_operator_time_us;      ///< time of a Xeon for a call of the framework outside CUDA
                                        ///< graphs
  Uncertain host_launch_time_us;        ///< time of a further kernel launch in the same call
  Uncertain sustained_throughput_ratio; ///< long runs over the tables' boost clocks
  /// The same of a GPU kind that gpus.csv does not list, over tables of another scaled to its
  /// peaks.
  Uncertain unlisted_gpu_throughput_ratio;
  CommunicationSms sms_pcie; ///< by the interconnect of the scale-up domain
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

  /// Time of a part's kernels over the time of their GEMMs and bytes.
  double time_ratio(KernelPart part) const;

  /// The SMs that communication holds on a scale-up interconnect, and the interconnect where they
  /// were measured: NVLink 6 takes those of NVLink 5.
  std::pair<std::string, const CommunicationSms&> sms_on(const std::string& interconnect) const;

  /// Reads `path`, and from `measured`, if it exists, those that a user measured. Throws InputError
  /// if a file is malformed or repeats a constant, and if `path` is missing or lacks one.
  static ComputeConstants read(const std::filesystem::path& path,
                               const std::filesystem::path& measured = {});
  /// The constants that `moesim calibrate` fits to a device's tables, in its folder `measured`.
  static constexpr const char* measured_file = "constants.csv";
};

} // namespace moesim
