#pragma once

#include "sim/platform/topology.hpp"
#include "sim/schedule/step_graph.hpp"

#include <vector>

namespace moesim {

/// Bytes from one rank to another. From a rank to itself: to its scale-up switch and back.
struct RankFlow {
  RankId source{};
  RankId sink{};
  double bytes = 0.0;
  double message_bytes = 0.0; ///< of one message, which decides its efficiency
};

/// Peers of a rank in a phase of a collective: what its start-up depends on.
struct PeerCount {
  std::int64_t inside = 0;  ///< in its scale-up domain
  std::int64_t outside = 0; ///< beyond it
};

/// The bytes that a collective moves between the ranks of a group, phase by phase. Phases follow
/// each other; within a phase all flows run together.
///
/// - all-to-all: one n-th of the buffer from each rank to each other.
/// - hierarchical: within the domain to the rank whose counterparts it is for, then between
///   counterparts (2D all-to-all; Tutel, arXiv 2206.03382).
/// - dispatch, combine: a token goes once to the counterpart in each scale-up domain that holds an
///   expert of it, and from there to each such rank (DeepEP). Counts of domains and ranks are
///   expected values of a uniform choice of experts within uniformly chosen groups.
/// - all-gather, reduce-scatter, all-reduce: rings, as many as the group has ranks in a domain,
/// each
///   over an equal share of the buffer: a rank passes (n − 1)/n of its buffer on (twice for an
///   all-reduce), to the next rank of its domain or, for the ring that leaves the domain there, to
///   its counterpart in the next domain. A tree moves as many bytes over the same links.
/// - all-reduce in the switch: a rank sends its buffer and its share of the sum, 1 + 1/w buffers
/// for
///   w ranks in the domain; counterparts then reduce those shares around rings between domains.
///
/// Where a group sits unevenly on domains (`ragged`), rings are one ring in the order of ranks, and
/// hierarchical patterns fall back to the flat one.
class CollectiveFlows {
public:
  /// `ranks` is in the order of the group. The work must live as long.
  CollectiveFlows(const CollectiveWork& work, std::vector<RankId> ranks, const Topology& topology);

  const std::vector<RankId>& ranks() const { return ranks_; }
  std::size_t phases() const { return work_.hierarchical && two_level() ? 2 : 1; }
  /// The flows that the rank at `position` sends in a phase.
  void append(std::size_t phase, std::size_t position, std::vector<RankFlow>& flows) const;
  /// The flows of all ranks.
  std::vector<RankFlow> all(std::size_t phase) const;
  PeerCount peers(std::size_t phase, std::size_t position) const;

private:
  std::size_t width() const { return width_; }
  /// True if the group spans domains and fills each alike.
  bool two_level() const { return width_ > 0 && width_ < ranks_.size(); }
  std::size_t domains() const { return ranks_.size() / width_; }
  double share(std::size_t source, std::size_t sink) const;
  void append_all_to_all(std::size_t position, std::vector<RankFlow>& flows) const;
  void append_hierarchical(std::size_t phase, std::size_t position,
                           std::vector<RankFlow>& flows) const;
  void append_fan_out(std::size_t position, std::vector<RankFlow>& flows) const;
  void append_ring(double passed, double message, std::size_t position,
                   std::vector<RankFlow>& flows) const;
  void append_in_switch(std::size_t position, std::vector<RankFlow>& flows) const;

  const CollectiveWork& work_;
  std::vector<RankId> ranks_;
  std::size_t width_ = 0;            ///< ranks in each domain; 0 if they differ
  std::vector<std::int64_t> domain_; ///< by position
};

/// The expected share of `parts` equal parts of the experts that a token goes to, times `parts`:
/// how many ranks, or domains, of a group. A token picks `groups_per_token` of the groups of
/// experts, then its experts among theirs, all choices equally likely.
double expected_parts(const TokenFanOut& fan_out, std::int64_t parts);

} // namespace moesim
