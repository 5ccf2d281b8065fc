#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/base/units.hpp"
#include "sim/cost/compute_constants.hpp"
#include "sim/cost/host_cost.hpp"
#include "sim/workload/collective.hpp"
#include "sim/workload/kernel.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <string>

namespace moesim {

/// The datasheet figures of a GPU kind that the roofline needs; they come from the topology file.
struct DevicePeaks {
  std::string kind;    ///< "a100-sxm", "h100-sxm", …: a folder or a row of `calibration/`
  FlopsPerSecond bf16; ///< dense peak of bf16 matrix products
  FlopsPerSecond fp8;  ///< dense peak of fp8 matrix products; equals `bf16` where there is none
  BytesPerSecond memory_bandwidth;
  std::int64_t sms = 0;             ///< streaming multiprocessors
  std::string scale_up_medium = ""; ///< decides how many of them communication takes
  std::string host = "xeon";        ///< a row of `calibration/hosts.csv`
};

/// Where a kernel's time comes from, the farthest from a measurement that applies.
enum class CostBasis {
  measured,      ///< inside a measured table
  beyond_table,  ///< a table left at its edge
  rule,          ///< a table under a stated rule: gradients, latent attention
  other_experts, ///< the nearest of the measured expert sizes
  other_device,  ///< a table of another GPU kind, or of other peaks
  datasheet      ///< a roofline over datasheet peaks: no table for this device and kind
};

/// From the nearest to a measurement to the farthest.
inline constexpr std::array cost_bases = {CostBasis::measured,     CostBasis::beyond_table,
                                          CostBasis::rule,         CostBasis::other_experts,
                                          CostBasis::other_device, CostBasis::datasheet};
static_assert(cost_bases.size() == enumerator_count<CostBasis>);

/// The one of two that is farther from a measurement.
constexpr CostBasis farther(CostBasis a, CostBasis b) {
  const auto* first = std::find(cost_bases.begin(), cost_bases.end(), a);
  return std::find(first, cost_bases.end(), b) == cost_bases.end() ? a : b;
}

struct KernelTime {
  Seconds time;
  CostBasis basis = CostBasis::datasheet;
  /// With a confidence of 90 % the time is off by at most this share of it. What all kernels share,
  /// clocks under long load, is not in it: ComputeCost::common_error.
  double error = 0.0;
  /// The other GPU kind whose table stands in; null where none does. Lives as long as the cost.
  const std::string* stand_in = nullptr;
};

/// Times of kernels on one kind of GPU, from the measured tables of `calibration/<kind>/`, for what
/// these lack from those of the kinds that `calibration/devices.csv` names, or from a roofline over
/// the datasheet. Times of another kind, or of other peaks than the topology's, are scaled by
/// max(FLOPs / peak, bytes / memory bandwidth) of one over that of the other.
class ComputeCost {
public:
  /// Reads the tables of `peaks.kind` below `calibration`. A missing file is not an error: those
  /// kernels are timed by the roofline. Throws InputError for a malformed table, for a kind that
  /// has neither a folder nor a row in `devices.csv`, for an unknown host, and for a table whose
  /// error is not known. Kernels are of the `precisions` only, bf16 among them; rows of others are
  /// not read: a wrong number there is found by `moesim calibrate`.
  static ComputeCost load(const std::filesystem::path& calibration, const DevicePeaks& peaks,
                          Precisions precisions = enumerators<Precision>);
  ComputeCost(ComputeCost&&) noexcept;
  ComputeCost& operator=(ComputeCost&&) noexcept;
  ~ComputeCost();

  /// The time of one kernel when nothing else runs on the GPU. Pure: same kernel, same time.
  KernelTime time(const Kernel& kernel) const;

  /// What the host of its node takes.
  const HostCost& host() const;

  /// The error, as KernelTime's, that all times have in common: long runs against short ones.
  double common_error() const;

  /// The scale-up medium whose communication's SMs are taken: NVLink 5's stand in for NVLink 6's.
  std::string sms_medium() const;

  /// How much longer a compute takes while a communication runs beside it: the kernels of the
  /// communication hold some SMs, and the compute has the rest.
  double slowdown_beside(Collective communication) const;

  /// How much longer a kernel that streams takes, SMs apart, while communication takes so much of
  /// the memory bandwidth, at most half.
  double memory_slowdown_beside(BytesPerSecond taken) const;

  /// The rate of a communication while computes run beside it, over its rate alone: below 1 for the
  /// kernels of a fused dispatch or combine, which move bytes with few SMs. Not known of NCCL's,
  /// which are taken to keep theirs.
  Uncertain rate_beside_compute(Collective communication) const;

  /// The rate of a communication on a medium between domains inside a training step, over that in a
  /// benchmark: below 1 for NCCL's all-to-all over EFA, not known of others.
  Uncertain rate_in_training(Collective communication, const std::string& medium) const;

private:
  struct Tables;
  explicit ComputeCost(std::unique_ptr<Tables> tables);
  std::unique_ptr<Tables> tables_;
};

} // namespace moesim
