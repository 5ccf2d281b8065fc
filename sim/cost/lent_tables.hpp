#pragma once

#include "sim/cost/compute_devices.hpp"
#include "sim/cost/compute_tables.hpp"

#include <filesystem>
#include <string>
#include <vector>

/// Published tables of other GPU kinds that stand in for a kind without its own, where a user
/// measured a part of it. Times are scaled by rate_ratio.
namespace moesim {

/// The kernels that the shapes of published tables stand for: m × n × k, and the axes of
/// read_attention_table.
Kernel gemm_of_shape(Precision precision, const TimeGrid::Shape& shape);
Kernel attention_of_shape(const TimeGrid::Shape& shape);

/// A GPU kind that lends its tables.
struct Lender {
  std::filesystem::path folder;
  PeakRates there;
  PeakRates here; ///< of the kind that borrows
};

/// The kinds that the row of `kind` in gpus.csv borrows from, the nearest first; none without a
/// row.
std::vector<Lender> lenders_of(const GpuKinds& kinds, const std::string& kind);

/// The GEMMs, without casts, of the first lender that has any of the precision; empty if none has.
TimeTable lent_gemms(const std::vector<Lender>& lenders, Precision precision);

/// The layers of experts of the first lender that has any of the precision; empty if none has.
std::vector<ExpertTable> lent_experts(const std::vector<Lender>& lenders, Precision precision);

/// The forward attention of the first lender that has any; empty if none has.
TimeTable lent_attention(const std::vector<Lender>& lenders);

} // namespace moesim
