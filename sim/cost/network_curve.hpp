#pragma once

#include "sim/base/units.hpp"
#include "sim/cost/collective_table.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// The load of a rank on the links of a tier.
struct TierUse {
  Bytes bytes;          ///< bytes that it sends over its link of the tier: the message of the
                        ///< curves
  std::int64_t members; ///< ranks of the domain inside, domains that take part outside
  BytesPerSecond capacity;
};

/// The measured costs of a collective on an interconnect: time = start-up + bytes / (capacity ×
/// share).
struct NetworkCurve {
  struct Point {
    Bytes message;
    double share = 0.0;
  };
  std::string interconnect;
  Collective collective = Collective::all_to_all;
  std::vector<Point> points; ///< by rising message; bytes over share never falls
  /// Loss of small groups: the share is multiplied by exp(−small_group_loss / members). Negative if
  /// large groups lose.
  double small_group_loss = 0.0;
  /// Rate limit of the copying kernel on a link of any speed; 0 if only the link limits it.
  BytesPerSecond limit;
  Seconds base;     ///< start-up without peers
  Seconds per_peer; ///< start-up of each peer
  Bytes smallest;   ///< the range of the measured messages
  Bytes largest;
  std::int64_t members_min = 0; ///< the range of the measured groups
  std::int64_t members_max = 0;
  double residual_percent = 0.0; ///< median relative error of the fitted times
  /// 90th percentile of the error over measured rows of 1 MB and more, held-out rows included.
  double p90_error_percent = 0.0;
  std::string provenance; ///< a word that check_provenance accepts
  std::string tables;     ///< names of the fitted tables, with spaces between

  /// Share of the capacity: linear between points in the logarithms of both, constant beyond them;
  /// at most 1 and the limit.
  double share(const TierUse& use) const;
  /// Whether `limit` bounds the share.
  bool bound_by_kernel(const TierUse& use) const;

private:
  /// The share without the limit.
  double reached(const TierUse& use) const;
};

/// The names of interconnects in topologies and tables, as "nvlink4".
const std::vector<std::string>& interconnect_names();

/// The text of `network.csv` and of `network_startup.csv` for these curves, as NetworkCost reads
/// them.
std::string network_csv(const std::vector<NetworkCurve>& curves);
std::string network_startup_csv(const std::vector<NetworkCurve>& curves);

} // namespace moesim
