#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/collective.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

namespace moesim {

/// How much of a link a transfer reaches, and how long a collective takes to start: from
/// `network.csv` and `network_startup.csv` of `calibration/`. The two add up: time = start-up +
/// bytes / (link capacity × efficiency).
class NetworkCost {
public:
  /// Throws InputError for a missing or malformed table, or if a tier lacks a collective.
  static NetworkCost load(const std::filesystem::path& calibration);

  /// The share of a link's datasheet capacity (one direction) that messages of this size reach, in
  /// (0, 1], never falling with size. `message` is the bytes for each peer of an all-to-all, the
  /// bytes of one step of a ring, or all bytes of a point-to-point transfer. Interpolated linearly
  /// in the logarithm of the size, clamped at the edges.
  double efficiency(Tier tier, Collective collective, Bytes message) const;

  /// The time before the first byte counts, for a rank with so many peers inside its NVLink domain
  /// and outside it; itself not counted. Without peers it is zero.
  Seconds startup(Collective collective, std::int64_t inside_peers,
                  std::int64_t outside_peers) const;

private:
  static constexpr std::size_t tiers = 2;
  static constexpr std::size_t collectives = 5;
  struct Startup {
    Seconds base;
    Seconds inside_peer;
    Seconds scale_out;
    Seconds outside_peer;
  };
  using Curve = std::vector<std::pair<double, double>>; ///< log2 of the message, efficiency

  void read_efficiency(const std::filesystem::path& path);
  void read_startup(const std::filesystem::path& path);

  std::array<std::array<Curve, collectives>, tiers> curves_;
  std::array<Startup, collectives> startup_;
};

} // namespace moesim
