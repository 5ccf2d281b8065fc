#pragma once

#include "sim/cost/compute_constants.hpp"
#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <string>

namespace moesim {

/// Throughput of kernels under long load, over that of the short runs in the tables: a GPU at its
/// power limit lowers its clocks.
struct SustainedThroughput {
  Uncertain ratio;      ///< of attention, and of GEMMs
  double bf16_gemm = 0; ///< of GEMMs in bf16: where it was not measured apart, as `ratio`

  /// Rate of `kernel` in a long step over its rate in the tables; 1 for a memory-bound kernel.
  double rate_of(const Kernel& kernel) const;
};

/// The row of `kind` in `calibration/sustained_throughput.csv` (device, ratio, bf16_gemm_ratio,
/// error_percent, provenance, source), or `otherwise` where there is none. Throws InputError if the
/// file is malformed, repeats a kind, or has a ratio above 1: long runs are never faster.
SustainedThroughput sustained_throughput(const std::filesystem::path& calibration,
                                         const std::string& kind, const Uncertain& otherwise);

} // namespace moesim
