#pragma once

#include "sim/replay/flow_shapes.hpp"

#include <vector>

namespace moesim {

/// Finds the route of a flow. A flow from a rank to itself goes to the first scale-up switch and
/// back.
void find_route(const Topology& topology, const RankFlow& flow, Route& route);

/// The flow with the longest path, by the sum of the latencies of its links.
struct FarthestFlow {
  RankId sender{};
  Seconds path; ///< 0 without flows
};
/// Finds the flow with the longest path. Of equal ones, a flow of `first` has precedence.
FarthestFlow find_farthest(const std::vector<RankFlow>& flows, RankId first,
                           const Topology& topology);

/// Numbers of peers that decide the start-up of a rank in a phase of a collective. Outside its
/// domain, rings count the other domains, trees the levels above one, all others each rank.
struct PeerCount {
  std::int64_t inside = 0;  ///< peers in its scale-up domain
  std::int64_t outside = 0; ///< peers outside it
};

/// The bytes that a collective moves between the ranks of a group, phase by phase. Phases run one
/// after the other; in a phase all flows run together.
///
/// - all-to-all: one n-th of the buffer from each rank to each other.
/// - two-phase all-to-all: within the domain to the rank whose counterparts it is for, then between
///   counterparts (2D all-to-all; Tutel, arXiv 2206.03382).
/// - dispatch, combine: a token goes once to the counterpart in each scale-up domain that holds an
///   expert of it, and from there to each such rank (DeepEP). Counts of domains and ranks are
///   expected values; see expected_parts.
/// - all-gather, reduce-scatter, all-reduce: as many rings as a domain has ranks of the group, each
///   over an equal share of the buffer: a rank passes (n − 1)/n of its buffer on (twice for an
///   all-reduce), to the next rank of its domain or, for the ring that leaves the domain there, to
///   its counterpart in the next domain.
/// - all-reduce by a tree: twice the buffer along a chain in the domain, and the share of each rank
///   up and down between domains.
/// - all-reduce in the switch: a rank sends its buffer and its share of the sum, 1 + 1/w buffers
///   for w ranks in the domain; counterparts then reduce those shares around rings between domains.
///
/// If the domains hold unequal numbers of a group's ranks (`ragged`), there is one ring in the
/// order of ranks, and two-phase exchanges become direct ones.
class CollectiveFlows {
public:
  /// `ranks` is in the order of the group.
  CollectiveFlows(const CollectiveWork& work, std::vector<RankId> ranks, const Topology& topology);
  /// Takes the bytes and loads of other work of the same kind.
  void take_amounts(const CollectiveWork& work);

  const std::vector<RankId>& ranks() const { return seats_.ranks; }
  /// The position of a rank in the group.
  std::size_t position_of(RankId rank) const;
  std::size_t phases() const { return phase_count(shape_, seats_); }
  /// Whether the ranks of both groups share domains in the same way. Flows of equal work then go
  /// between the same positions with the same bytes.
  bool sits_like(const CollectiveFlows& other) const;
  /// Adds the flows that the rank at `position` sends in a phase.
  void append(std::size_t phase, std::size_t position, std::vector<RankFlow>& flows) const;
  /// The flows of all ranks.
  std::vector<RankFlow> all(std::size_t phase) const {
    return sent_by_first(seats_.ranks.size(), phase);
  }
  /// The flows of the first `members` ranks.
  std::vector<RankFlow> sent_by_first(std::size_t members, std::size_t phase) const;
  PeerCount peers(std::size_t phase, std::size_t position) const;
  /// The collective that carries the part inside the domain, and the one for the part outside.
  Collective inside_kind() const;
  Collective outside_kind() const { return kind_; }
  /// Ranks in the fullest domain, and number of domains.
  std::int64_t members_inside() const { return seats_.members_inside; }
  std::int64_t members_outside() const { return seats_.members_outside; }

private:
  const Topology& topology_;
  Collective kind_;
  FlowShape shape_;
  GroupSeats seats_;
  FlowAmounts amounts_;
};

} // namespace moesim
