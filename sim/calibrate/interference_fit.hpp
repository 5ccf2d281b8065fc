#pragma once

#include "sim/cost/compute_cost.hpp"

#include <cstddef>
#include <filesystem>

namespace moesim {

/// How much a GEMM slows down beside a communication, constants of compute_constants.csv. Each is
/// the least squares, through no slow-down at no load, over its rows.
struct InterferenceFit {
  double sm_loss_slowdown = 0.0;
  std::size_t sm_rows = 0; ///< beside a kernel that holds SMs
  double gemm_bandwidth_slowdown = 0.0;
  std::size_t bandwidth_rows = 0; ///< beside a kernel that also copies on its SMs
};

/// Fits interference.csv in `folder`; no rows without the file, or if the GPU's SMs are not known.
/// A slow-down is over the row of the same GEMM that has all SMs. A row of that kind that is more
/// than 25 % from the tables was not alone on the GPU: then it is over the time of the tables.
/// Throws InputError for a malformed table.
InterferenceFit fit_interference(const std::filesystem::path& folder, const ComputeCost& cost,
                                 const DevicePeaks& peaks);

} // namespace moesim
