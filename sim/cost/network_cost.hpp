#pragma once

#include "sim/cost/network_curve.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// The share of a link's datasheet capacity (one direction) that a transfer reaches.
struct NetworkEfficiency {
  double share = 1.0;        ///< in (0, 1]
  bool extrapolated = false; ///< beyond the measured messages or groups, or measured on another
                             ///< interconnect
  /// The curve of another interconnect or collective that was used; null for the own curve.
  const NetworkCurve* stand_in = nullptr;
  bool by_kernel = false; ///< the rate of the copying kernel bounds it, whatever the link
};

/// Efficiency of a transfer on a link and start-up time of a collective, from `network.csv` and
/// `network_startup.csv` of `calibration/`: time = start-up + bytes / (link capacity × efficiency).
/// An interconnect without a measurement of a collective takes the costs of another ring on it
/// (all-gather, reduce-scatter and all-reduce are similar), else those of the nearest interconnect:
/// the NVLink generations by their distance, the older first; PCIe those of NVLink, and AMD's xGMI
/// those of NVLink 4; InfiniBand, RoCE and EFA each other's. Without any, other all-reduces take
/// the costs of rings, and HybridEP's kernels those of DeepEP.
class NetworkCost {
public:
  explicit NetworkCost(std::vector<NetworkCurve> curves);

  /// Throws InputError for a missing or malformed table, or if an interconnect, and all near it,
  /// lack the costs of a collective that any step may need.
  static NetworkCost load(const std::filesystem::path& calibration);

  /// The efficiency on an interconnect, as "nvlink4" or "infiniband".
  NetworkEfficiency efficiency(const std::string& interconnect, Collective collective,
                               const TierUse& use) const;

  /// Relative error, at a confidence of 90 %, of a time of the collective on the interconnect; zero
  /// without peers on it.
  double error(const std::string& interconnect, Collective collective, std::int64_t peers) const;

  /// All measured curves.
  const std::vector<NetworkCurve>& curves() const { return curves_; }

  /// The curve that gives the costs of a collective on an interconnect: its own or its stand-in's.
  const NetworkCurve& curve(const std::string& interconnect, Collective collective) const;

  /// Whether a collective was measured on the interconnect itself. An all-reduce by a tree is an
  /// option only if it was.
  bool measured(const std::string& interconnect, Collective collective) const;

  /// The smallest message that was measured of a collective on the interconnect, or on the one
  /// whose costs it takes.
  Bytes smallest_message(const std::string& interconnect, Collective collective) const {
    return curve(interconnect, collective).smallest;
  }

  /// Start-up time for a rank with `peers` peers on the interconnect, without itself; zero without
  /// peers. `outside_peers` gives the peers outside the domain. Start-ups inside and outside add
  /// up.
  Seconds startup(const std::string& interconnect, Collective collective, std::int64_t peers) const;

private:
  NetworkCost() = default;
  void read_startup(const std::filesystem::path& path);
  void read_efficiency(const std::filesystem::path& path);
  void check_complete(const std::filesystem::path& path) const;
  /// Fills `found_` from the curves, which must be complete.
  void index_curves();
  /// The index of the curve that a collective takes on an interconnect, by the rule of the class;
  /// no_curve if there is none.
  std::size_t nearest_curve(const std::string& interconnect, Collective collective) const;
  /// The curve of a collective on an interconnect; null if there is none.
  const NetworkCurve* find(const std::string& interconnect, Collective collective) const;

  static constexpr std::size_t no_curve = static_cast<std::size_t>(-1);
  std::vector<NetworkCurve> curves_;
  std::vector<std::size_t> found_; ///< by interconnect, then by row of the table of collectives
};

} // namespace moesim
