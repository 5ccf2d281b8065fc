#pragma once

#include "sim/base/units.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <vector>

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

/// The share of the memory bandwidth that some kernels reached, each measured by itself.
struct BandwidthShare {
  double share = 0.0;         ///< median
  double error_percent = 0.0; ///< 90th percentile of the distance from it
  std::size_t rows = 0;
};

/// The median of `shares` and its spread. Nothing if there are none.
std::optional<BandwidthShare> share_of(const std::vector<double>& shares);

/// The share of the peak that copies within the device reach, of at least 64 MiB, by copy.csv in
/// `folder`. Nothing if there are none. Throws InputError for a malformed table.
std::optional<BandwidthShare> copy_share(const std::filesystem::path& folder, BytesPerSecond peak);

} // namespace moesim
