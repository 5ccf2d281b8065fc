#pragma once

#include "sim/cost/compute_devices.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// A constant of compute_constants.csv that was fitted to a device's own tables.
struct MeasuredConstant {
  std::string name;
  std::string unit;
  double value = 0.0;
  double error_percent = 0.0; ///< at a confidence of 90 %; 0 for constants without an error
  std::string source;         ///< the file, and how many rows of it
};

/// Fits the constants of `device` to the tables in its folder `measured` and writes them to
/// ComputeConstants::measured_file there; without a row to fit to, the file is removed. Kernels
/// that others time are predicted from the tables and constants of `calibration`, which must be
/// complete: a ratio is the median of measured over predicted time.
///
/// - memory_bound.csv: `memory_bandwidth_share` and `kernel_fixed_time`, least squares of the
///   relative error of fixed time + bytes / (peak × share); casts to fp8 apart: `cast_time_ratio`.
/// - copy.csv: the bandwidth share of copies in the device of at least 64 MiB; it times sums of
///   gradients (`accumulation_bandwidth_share`) and, without memory_bound.csv, all streaming
///   kernels.
/// - gemm.csv and expert_gemm.csv, rows that accumulate: `accumulation_bandwidth_share`.
/// - router.csv, permute.csv: `router_time_ratio`, `permute_time_ratio`.
/// - interference.csv: `sm_loss_slowdown`, then `gemm_bandwidth_slowdown` (interference_fit.hpp).
/// - expert_gemm.csv, Zipf's loads over equal ones: `grouped_gemm_imbalance_slope`.
/// - launch.csv, `host_launch`: `host_call_time`.
///
/// Throws InputError for a malformed table, and for a device without a row in gpus.csv.
std::vector<MeasuredConstant> fit_device_constants(const std::filesystem::path& calibration,
                                                   const std::string& device);

} // namespace moesim
