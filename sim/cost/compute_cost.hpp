#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/base/input_error.hpp"
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
#include <utility>

namespace moesim {

/// The datasheet figures of a GPU kind that the roofline needs; they come from the topology file.
struct DevicePeaks {
  std::string kind;    ///< "a100-sxm", "h100-sxm", …
  FlopsPerSecond bf16; ///< dense peak of bf16 GEMMs
  FlopsPerSecond fp8;  ///< dense peak of fp8 GEMMs; equals `bf16` without fp8 arithmetic
  BytesPerSecond memory_bandwidth;
  std::int64_t sms = 0;                   ///< streaming multiprocessors
  std::string scale_up_interconnect = ""; ///< decides how many SMs communication takes
  std::string host = "xeon";              ///< a row of `calibration/hosts.csv`
  InputLocation kind_place = {};          ///< of `kind`, for errors
  InputLocation host_place = {};          ///< of `host`, likewise
  FlopsPerSecond fp4 = {};                ///< dense peak of NVFP4 GEMMs; 0: none
};

/// The source of a kernel's time; of several, the one farthest from a measurement.
enum class CostBasis {
  measured,      ///< inside a measured table
  beyond_table,  ///< beyond the edge of a table
  rule,          ///< a table with a stated rule: gradients, latent attention
  other_experts, ///< the tables of the nearest expert sizes
  other_device,  ///< a table of another GPU kind, or of other peaks
  datasheet      ///< a roofline over datasheet peaks: no table for this device and kind
};

/// All sources, from the nearest to a measurement to the farthest.
inline constexpr std::array cost_bases = {CostBasis::measured,     CostBasis::beyond_table,
                                          CostBasis::rule,         CostBasis::other_experts,
                                          CostBasis::other_device, CostBasis::datasheet};
static_assert(cost_bases.size() == enumerator_count<CostBasis>);

/// The farther of two from a measurement.
constexpr CostBasis farther(CostBasis a, CostBasis b) {
  const auto* first = std::find(cost_bases.begin(), cost_bases.end(), a);
  return std::find(first, cost_bases.end(), b) == cost_bases.end() ? a : b;
}

struct KernelTime {
  Seconds time;
  CostBasis basis = CostBasis::datasheet;
  /// Relative error of the time at a confidence of 90 %. The error that all kernels share, clocks
  /// under long load, is apart: ComputeCost::common_error.
  double error = 0.0;
  /// The other GPU kind whose table was used; null for the kind's own. Valid as long as the cost.
  const std::string* stand_in = nullptr;
};

/// The tables of kernel times, by the kernels that take them.
enum class KernelTable { gemm, grouped_gemm, attention };

/// The names in results.
inline constexpr auto kernel_table_names =
    std::to_array<Named<KernelTable>>({{KernelTable::gemm, "gemm"},
                                       {KernelTable::grouped_gemm, "grouped_gemm"},
                                       {KernelTable::attention, "attention"}});
static_assert(names_each(kernel_table_names));

/// A change of all times that a table gives.
struct TableStretch {
  double ratio = 0.0;  ///< added share of each time
  double errors = 0.0; ///< added multiple of each time's own error (KernelTime::error)
};

/// Times of kernels on one kind of GPU. They come from the measured tables of
/// `calibration/<kind>/`; for missing tables from those of the kinds that `calibration/gpus.csv`
/// names, or, for a kind that it does not list, of the kind with the nearest peaks; else from a
/// roofline over the datasheet. Times of another kind, or measured at other
/// peaks than the topology's, are scaled by the ratio of max(FLOPs / peak, bytes / memory
/// bandwidth) of both.
class ComputeCost {
public:
  /// Reads the tables of `peaks.kind` below `calibration`. A missing file is not an error: the
  /// roofline times its kernels. Throws InputError for a malformed table, for a misspelt kind
  /// and for an unknown host, both where `peaks` says that they are named, and for a table whose
  /// error is not known. Kernels must be of the `precisions`, which include bf16. Rows of other
  /// precisions are not read; `moesim calibrate` finds wrong numbers there.
  static ComputeCost load(const std::filesystem::path& calibration, const DevicePeaks& peaks,
                          Precisions precisions = tabled_precisions);
  ComputeCost(ComputeCost&&) noexcept;
  ComputeCost& operator=(ComputeCost&&) noexcept;
  ~ComputeCost();

  /// The time of one kernel alone on the GPU. Pure: same kernel, same time.
  KernelTime time(const Kernel& kernel) const;

  /// The same in a short run, as a benchmark has it: at the clocks of the tables.
  Seconds benchmark_time(const Kernel& kernel) const;

  /// Stretches the times of one table, and no longer those of others. Times of a roofline stay as
  /// they are.
  void stretch(KernelTable table, const TableStretch& by) { stretched_ = {table, by}; }

  /// The kind whose tables serve a GPU kind that gpus.csv does not list; empty for a listed kind,
  /// and where no kind is near.
  const std::string& nearest_of_unlisted() const;

  /// The times of the node's host.
  const HostCost& host() const;

  /// The relative error that all times share, at a confidence of 90 %: long runs against short
  /// ones.
  double common_error() const;

  /// The scale-up interconnect whose measured SMs of communication are used: NVLink 6 takes those
  /// of NVLink 5.
  std::string sms_interconnect() const;

  /// Time of a compute beside a communication over its time alone: the kernels of the communication
  /// hold some SMs, and the compute has the other SMs.
  double slowdown_beside(Collective communication) const;

  /// Time of a compute over its time alone while communication takes `taken` of the memory
  /// bandwidth, at most half. `streaming`: the share of its time in memory-bound kernels. The loss
  /// of SMs is not included.
  double bandwidth_slowdown_beside(BytesPerSecond taken, double streaming) const;

  /// Rate of a communication beside computes over its rate alone. Below 1 for fused dispatch and
  /// combine kernels, which move bytes with few SMs, and for NCCL's all-to-all. Not known for other
  /// collectives of NCCL, which are assumed to keep their rate.
  Uncertain rate_beside_compute(Collective communication) const;

  /// Rate of a communication on an interconnect between domains inside a training step, over its
  /// rate in a benchmark. Below 1 for NCCL's all-to-all over EFA; not known for others, which have
  /// 1.
  Uncertain rate_in_training(Collective communication, const std::string& interconnect) const;

private:
  struct Tables;
  explicit ComputeCost(std::unique_ptr<Tables> tables);
  /// The time at a share of the tables' clocks.
  KernelTime time(const Kernel& kernel, double sustained) const;
  std::unique_ptr<Tables> tables_;
  std::pair<KernelTable, TableStretch> stretched_;
};

} // namespace moesim
