#pragma once

#include "sim/cost/network_curve.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// The share of a link's datasheet capacity (one direction) that a transfer reaches.
struct NetworkEfficiency {
  double share = 1.0;        ///< in (0, 1]
  bool extrapolated = false; ///< beyond the measured messages or groups, or measured elsewhere
  /// The curve of another medium or collective that stands in; null where the medium measured it.
  const NetworkCurve* stand_in = nullptr;
};

/// How much of a link a transfer reaches, and how long a collective takes to start: from
/// `network.csv` and `network_startup.csv` of `calibration/`. The two add up: time = start-up +
/// bytes / (link capacity × efficiency). A medium without a measurement of a collective takes the
/// costs of another ring on it (all-gather, reduce-scatter and all-reduce are alike), else of the
/// nearest medium that has them: the NVLink generations by their distance, the older first; PCIe
/// those of NVLink; InfiniBand, RoCE and EFA each other's. Where none has, rings stand for the
/// other all-reduces and the kernels of DeepEP for those of HybridEP.
class NetworkCost {
public:
  explicit NetworkCost(std::vector<NetworkCurve> curves);

  /// Throws InputError for a missing or malformed table, or if no medium near another has the
  /// costs of a collective that both tiers carry.
  static NetworkCost load(const std::filesystem::path& calibration);

  /// The efficiency of a medium, as "nvlink4" or "infiniband".
  NetworkEfficiency efficiency(const std::string& medium, Collective collective,
                               const TierUse& use) const;

  /// With a confidence of 90 % a time of the collective on the medium is off by at most this share;
  /// zero without peers on it.
  double error(const std::string& medium, Collective collective, std::int64_t peers) const;

  /// All that was measured.
  const std::vector<NetworkCurve>& curves() const { return curves_; }

  /// Whether a collective was measured on the medium itself. An all-reduce by a tree is an option
  /// only where it was.
  bool measured(const std::string& medium, Collective collective) const;

  /// The time before the first byte counts, for a rank with so many peers on the medium, itself
  /// not counted; zero without peers. Outside, `outside_peers` tells how many. Inside and outside
  /// add up.
  Seconds startup(const std::string& medium, Collective collective, std::int64_t peers) const;

private:
  NetworkCost() = default;
  void read_startup(const std::filesystem::path& path);
  void read_efficiency(const std::filesystem::path& path);
  void check_complete(const std::filesystem::path& path) const;
  /// Fills `found_`, once all curves are read.
  void index_curves();
  /// The index of the curve that a collective takes on a medium, by the rule of the class; no_curve
  /// if there is none.
  std::size_t nearest_curve(const std::string& medium, Collective collective) const;
  /// The curve of a collective on a medium; null if there is none.
  const NetworkCurve* find(const std::string& medium, Collective collective) const;
  const NetworkCurve& curve(const std::string& medium, Collective collective) const;

  static constexpr std::size_t no_curve = static_cast<std::size_t>(-1);
  std::vector<NetworkCurve> curves_;
  std::vector<std::size_t> found_; ///< by medium, then by row of the table of collectives
};

} // namespace moesim
