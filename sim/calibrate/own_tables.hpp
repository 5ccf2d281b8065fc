#pragma once

#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// Comparison of a published table with cuda_microbench's measurements on the same device.
struct TableComparison {
  std::string device;
  std::string table; ///< "gemm", or the weight of an expert
  Precision precision = Precision::bf16;
  std::size_t rows = 0;      ///< our rows with shapes inside the published table
  double median_ratio = 0.0; ///< published time over ours
  double p90_percent = 0.0;  ///< 90th percentile of |published / ours − 1|
  std::size_t far_off = 0;   ///< rows that differ by more than 10 %
};

/// Compares our own measurements with the published tables of the same device, forward and under
/// equal loads. Devices without both are left out. Throws the errors of the readers of tables.
std::vector<TableComparison> compare_own_tables(const std::filesystem::path& calibration);

} // namespace moesim
