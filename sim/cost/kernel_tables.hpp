#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/cost/compute_devices.hpp"
#include "sim/cost/compute_errors.hpp"
#include "sim/cost/device_grids.hpp"
#include "sim/cost/estimate.hpp"
#include "sim/cost/sustained_throughput.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The table that times one kind of kernel on a GPU.
template <typename Grid> struct Source {
  Grid grid;
  std::optional<PeakRates> measured_on; ///< nothing: times are not scaled
  bool other_device = false;            ///< measured on another GPU kind, or at other peaks
  std::string stand_in;                 ///< the other GPU kind; empty for the kind's own table
  std::array<double, enumerator_count<ErrorCase>> errors{};

  double error(ErrorCase error_case) const { return errors[index(error_case)]; }
  void add_shape_error(bool inside, Estimate& estimate) const {
    if (inside)
      estimate.depends_on(CostBasis::measured, error(ErrorCase::inside));
    else
      estimate.depends_on(CostBasis::beyond_table, error(ErrorCase::edge));
  }
};

/// Casts that were timed with a GPU's GEMMs.
struct CastSource {
  CastGrid grid;
  double slowdown = 1.0; ///< memory time of this GPU over that of the table's
};

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
  FlopsPerSecond peak(Precision precision) const {
    return is_fp8(precision) ? peaks.fp8 : peaks.bf16;
  }
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
  Kernel executed(const Kernel& kernel) const;
};

} // namespace moesim
