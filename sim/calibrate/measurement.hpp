#pragma once

#include "sim/cost/collective_traffic.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// One published time of a collective, one row of `calibration/measurements/*.csv`.
struct Measurement {
  std::string table; ///< name of the table; rows of one run share it
  std::string gpu;
  RankLinks links;
  RankGroup group;
  Tier tier = Tier::scale_up; ///< the tier that limits it, to whose curve it belongs
  Collective collective = Collective::all_to_all;
  double size = 0.0; ///< bytes, as in nccl-tests; for a dispatch tokens × bytes of one token
  TierBytes bytes;
  Seconds time;
  bool fit = false; ///< enters the fit; else held out to test it
  std::string source;

  /// The interconnect and the collective of this row's curve.
  const std::string& interconnect() const;
  Collective curve_collective() const;
  /// The load of a rank on the links of its tier.
  TierUse use() const;
  /// Number of peers on its tier for the start-up time.
  std::int64_t peers() const;
};

/// Adds rows behind others.
void append(std::vector<Measurement>& to, const std::vector<Measurement>& rows);

/// The name of a curve: its interconnect and collective.
using CurveName = std::pair<std::string, Collective>;
CurveName curve_name(const Measurement& measurement);

/// Reads a table with the columns `table, gpu, scale_up, scale_up_gbyte_per_s, network,
/// network_gbyte_per_s, domains, ranks, tier, collective, size_bytes, scale_up_bytes,
/// network_bytes, time_us, fit, source`. The byte columns of the tiers are filled for dispatch and
/// combine; for others they are empty, as the bytes follow from the size. Throws InputError, with
/// the position.
std::vector<Measurement> read_measurements(const std::filesystem::path& path);

} // namespace moesim
