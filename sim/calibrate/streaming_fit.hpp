#pragma once

#include "sim/base/units.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>

/// The share of a GPU's memory bandwidth that memory-bound kernels reach.
namespace moesim {

/// The operation of memory_bound.csv that casts bf16 to fp8.
inline constexpr const char* cast_operation = "cast_fp8";

/// Time of a streaming kernel: fixed time + bytes / (peak bandwidth × share).
struct StreamingFit {
  double share = 0.0;
  double fixed_time_us = 0.0; ///< 0 where rows of one size tell nothing of it
  double error_percent = 0.0; ///< 90th percentile over the rows
  std::size_t rows = 0;
};

/// Least squares of the relative error over the rows of memory_bound.csv in `folder` without casts.
/// Nothing if there are none. Throws InputError for a malformed table.
std::optional<StreamingFit> fit_streaming(const std::filesystem::path& folder, BytesPerSecond peak);

/// The median share of the peak that copies within the device reach, of at least 64 MiB, by
/// copy.csv in `folder`; 0 if there are none. Throws InputError for a malformed table.
double copy_bandwidth_share(const std::filesystem::path& folder, BytesPerSecond peak);

} // namespace moesim
