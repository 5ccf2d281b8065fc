#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/cost/compute_devices.hpp"
#include "sim/cost/compute_errors.hpp"
#include "sim/cost/device_grids.hpp"
#include "sim/cost/estimate.hpp"
#include "sim/cost/sustained_throughput.hpp"
#include "sim/cost/table_source.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The tables of a GPU kind, its own and borrowed ones, and how they time a kernel.
struct ComputeCost::Tables {
  DevicePeaks peaks;
  ComputeConstants constants;
  ByPrecision<std::optional<Source<TimeGrid>>> gemm;
  ByPrecision<std::optional<CastSource>> casts;
  ByPrecision<std::optional<Source<ExpertTables>>> experts;
  std::optional<Source<AttentionGrids>> attention;
  SustainedThroughput sustained;
  std::string nearest_of_unlisted;
  HostCost host;
  std::vector<Precision> precisions; ///< precisions whose tables were read

  Tables(const std::filesystem::path& calibration, const DevicePeaks& device, Precisions read);
  template <typename Grid>
  Source<Grid> source(Grid grid, const TableFolder& folder, const ComputeErrors& errors,
                      const char* table, Precision precision) const;

  /// Whether every kind of kernel has a table.
  bool complete() const {
    return attention && std::all_of(precisions.begin(), precisions.end(), [&](Precision precision) {
             return gemm[index(precision)] && experts[index(precision)];
           });
  }
  FlopsPerSecond peak(Precision precision) const { return peak_of(peaks, precision); }
  Estimate streamed(Bytes bytes, std::int64_t launches = 1) const;
  Estimate cast_time(const Kernel& kernel) const;
  Estimate roofline(const Kernel& kernel, const Uncertain& efficiency) const;
  template <typename Grid>
  void add_device_error(const Source<Grid>& from, const Kernel& kernel, Estimate& estimate) const;
  template <typename Grid>
  Estimate table_time(const Source<Grid>& from, const TimeGrid& grid, const TimeGrid::Shape& shape,
                      const Kernel& kernel) const;
  Estimate gemm_time(const Kernel& kernel) const;
  Estimate grouped_time(const Kernel& kernel) const;
  Estimate attention_time(const Kernel& kernel) const;
  Estimate estimate(const Kernel& kernel) const;
  Estimate nvfp4_time(const Kernel& kernel) const;
  Kernel executed(const Kernel& kernel) const;
};

} // namespace moesim
