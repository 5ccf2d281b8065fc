#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/replay/rank_flows.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace moesim {

/// The kind of a phase's flows. Kind, tier and message size decide the costs of a flow.
struct FlowKind {
  Collective inside;                ///< carries the part within a scale-up domain
  Collective outside;               ///< carries the part between domains
  std::int64_t members_inside = 0;  ///< ranks in the fullest domain
  std::int64_t members_outside = 0; ///< domains of the group
};
FlowKind kind_of(const CollectiveFlows& flows);
/// The kind of a flow between two ranks.
FlowKind point_to_point_kind();

/// Notes on the plans of a replay.
struct TrafficNotes {
  /// Costs used beyond the measurements: "all_to_all on infiniband", ….
  std::set<std::string> extrapolated;
  /// Costs taken from another interconnect or collective: "all_to_all on nvlink6: the curve of
  /// all_to_all on nvlink5", ….
  std::set<std::string> stand_ins;
  /// Whether a flow was planned for a class of links that carry unequal amounts.
  bool uneven = false;
  /// Whether a copying kernel's own rate bounds a flow of the plan in the making: inside a domain,
  /// and between domains.
  std::array<bool, 2> by_kernel{};
};

/// Costs of the flows of a replay: efficiency, start-up and error. Notes extrapolated look-ups.
class FlowCosts {
public:
  /// `compute` gives the rates in training; null for a graph without computes. Arguments must
  /// outlive the costs.
  FlowCosts(const Topology& topology, const NetworkCost& network, const ComputeCost* compute,
            TrafficNotes& notes)
      : topology_(topology), network_(network), compute_(compute), notes_(notes) {}

  /// The share of a link's capacity that a flow reaches.
  double efficiency(const RankFlow& flow, const FlowKind& kind) const;
  /// Amount of a flow: its bytes divided by its efficiency.
  double amount(const RankFlow& flow, const FlowKind& kind) const {
    return flow.bytes / efficiency(flow, kind);
  }
  double mean_amount(const std::vector<RankFlow>& flows, const FlowKind& kind) const;
  /// The rate of a collective between domains in a training step over its rate in a benchmark; 1
  /// for a graph without computes.
  Uncertain rate_in_training(Collective collective) const;
  /// The start-up time of a rank with `peers` peers.
  Seconds startup(const FlowKind& kind, const PeerCount& peers) const;
  /// Relative error of a time at a confidence of 90 %; that of the tier with the larger error.
  double error(const FlowKind& kind, const PeerCount& peers) const;

private:
  const Topology& topology_;
  const NetworkCost& network_;
  const ComputeCost* compute_;
  TrafficNotes& notes_;
};

} // namespace moesim
