#pragma once

#include "sim/cost/collective_traffic.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// One published time of a collective, one row of `calibration/measurements/*.csv`.
struct Measurement {
  std::string table; ///< rows of one run share it
  std::string gpu;
  RankLinks links;
  RankGroup group;
  Tier tier = Tier::scale_up; ///< the one that bounds it: whose curve it is
  Collective collective = Collective::all_to_all;
  double size = 0.0; ///< bytes, as nccl-tests defines it; tokens × bytes of one for a dispatch
  TierBytes bytes;
  Seconds time;
  bool fit = false; ///< enters the fit; else it only tests it
  std::string source;

  /// The medium and the collective of the curve that this row is a point of.
  const std::string& medium() const;
  Collective curve_collective() const;
  /// What it does to the links of its tier.
  TierUse use() const;
  /// The peers that its start-up counts on its tier.
  std::int64_t peers() const;
};

/// Reads a table with the columns `table, gpu, scale_up, scale_up_gbyte_per_s, network,
/// network_gbyte_per_s, domains, ranks, tier, collective, size_bytes, scale_up_bytes,
/// network_bytes, time_us, fit, source`. The byte columns of the tiers are filled for dispatch and
/// combine, and empty where they follow from the size. Throws InputError with the place.
std::vector<Measurement> read_measurements(const std::filesystem::path& path);

} // namespace moesim
