#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/collective.hpp"
#include "sim/workload/kernel.hpp"

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
};

/// How much a kernel's time is to be trusted.
enum class CostBasis {
  measured,     ///< inside a measured table
  extrapolated, ///< a measured table left at its edge, of another kind, or under a stated rule
  datasheet     ///< a roofline over datasheet peaks: no table for this device and kind
};

struct KernelTime {
  Seconds time;
  CostBasis basis = CostBasis::datasheet;
};

/// Times of kernels on one kind of GPU, from the measured tables of `calibration/<kind>/`, from
/// those of the kind that `calibration/devices.csv` names instead, on the peaks of this one, or
/// from a roofline over the datasheet. Tables hold times by shape; a look-up interpolates the
/// achieved efficiency (share of peak) linearly in the logarithms of the shape.
class ComputeCost {
public:
  /// Reads the tables of `peaks.kind` below `calibration`. A missing file is not an error: those
  /// kernels are timed by the roofline. Throws InputError for a malformed table, and for a kind
  /// that has neither a folder nor a row in `devices.csv`.
  static ComputeCost load(const std::filesystem::path& calibration, const DevicePeaks& peaks);
  ComputeCost(ComputeCost&&) noexcept;
  ComputeCost& operator=(ComputeCost&&) noexcept;
  ~ComputeCost();

  /// The time of one kernel when nothing else runs on the GPU. Pure: same kernel, same time.
  KernelTime time(const Kernel& kernel) const;

  /// How much longer a compute takes while a communication runs beside it: the kernels of the
  /// communication hold some SMs, and the compute has the rest. Memory bandwidth is not shared out.
  double slowdown_beside(Collective communication) const;

private:
  struct Tables;
  explicit ComputeCost(std::unique_ptr<Tables> tables);
  std::unique_ptr<Tables> tables_;
};

} // namespace moesim
