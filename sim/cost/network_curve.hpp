#pragma once

#include "sim/base/units.hpp"
#include "sim/cost/collective_table.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// What a rank does to the links of a tier.
struct TierUse {
  Bytes bytes;          ///< that it sends over its link of the tier: the message of the curves
  std::int64_t members; ///< ranks of the domain inside, domains that take part outside
  BytesPerSecond capacity;
};

/// The measured costs of a collective on a medium:
/// time = start-up + bytes / (capacity × share).
struct NetworkCurve {
  struct Point {
    Bytes message;
    double share = 0.0;
  };
  std::string medium;
  Collective collective = Collective::all_to_all;
  std::vector<Point> points; ///< by rising message; bytes over share never falls
  /// What small groups lose: the share is multiplied by exp(−small_group_loss / members). Negative
  /// where large groups lose.
  double small_group_loss = 0.0;
  /// What the copying kernel reaches, however fast the link; 0 if only the link bounds it.
  BytesPerSecond limit;
  Seconds base;     ///< start-up without peers
  Seconds per_peer; ///< start-up of each peer
  Bytes smallest;   ///< the range of the measured messages
  Bytes largest;
  std::int64_t members_min = 0; ///< the range of the measured groups
  std::int64_t members_max = 0;
  double residual_percent = 0.0; ///< median relative error of the times that were fitted
  /// Nine in ten measured rows of 1 MB and more are off by at most this; those held out are among
  /// them.
  double p90_error_percent = 0.0;
  std::string provenance; ///< one that check_provenance accepts
  std::string tables;     ///< names of the fitted tables, with spaces between

  /// The share of the capacity, between points linear in the logarithms of both, beyond them that
  /// of the outermost; at most 1 and the limit.
  double share(const TierUse& use) const;
};

/// The names of media in topologies and tables, as "nvlink4".
const std::vector<std::string>& medium_names();

/// `network.csv` and `network_startup.csv` of these curves, as NetworkCost reads them.
std::string network_csv(const std::vector<NetworkCurve>& curves);
std::string network_startup_csv(const std::vector<NetworkCurve>& curves);

} // namespace moesim
