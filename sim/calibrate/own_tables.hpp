#pragma once

#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// What a published table says of the shapes that cuda_microbench measured on the same device.
struct TableComparison {
  std::string device;
  std::string table; ///< "gemm", or the weight of an expert
  Precision precision = Precision::bf16;
  std::size_t rows = 0;      ///< of ours, on shapes inside the published table
  double median_ratio = 0.0; ///< published time over ours
  double p90_percent = 0.0;  ///< of |published / ours − 1|
  std::size_t far_off = 0;   ///< rows that differ by more than 10 %
};

/// Our own measurements against the published tables beside them, forward and under equal loads;
/// empty where a device has not both. Throws InputError as the readers of tables do.
std::vector<TableComparison> compare_own_tables(const std::filesystem::path& calibration);

} // namespace moesim
