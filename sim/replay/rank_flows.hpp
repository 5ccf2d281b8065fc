#pragma once

#include "sim/cost/collective_table.hpp"
#include "sim/platform/topology.hpp"
#include "sim/schedule/step_graph.hpp"

#include <memory>
#include <vector>

namespace moesim {

/// Bytes from one rank to another. From a rank to itself: to its scale-up switch and back.
struct RankFlow {
  RankId source{};
  RankId sink{};
  double bytes = 0.0;
  double message_bytes = 0.0; ///< that the source sends over this tier: decides the efficiency
};

/// The route of a flow; of one from a rank to itself, to the first scale-up switch and back.
void find_route(const Topology& topology, const RankFlow& flow, Route& route);

/// What the start-up of a rank in a phase of a collective depends on. Rings count the other domains
/// outside, trees the levels above one, all others each rank beyond the domain.
struct PeerCount {
  std::int64_t inside = 0;  ///< in its scale-up domain
  std::int64_t outside = 0; ///< beyond it
};

/// The bytes that a collective moves between the ranks of a group, phase by phase. Phases follow
/// each other; within a phase all flows run together.
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
/// for
///   w ranks in the domain; counterparts then reduce those shares around rings between domains.
///
/// Where a group sits unevenly on domains (`ragged`), rings are one ring in the order of ranks, and
/// two-phase exchanges fall back to the direct one.
class CollectiveFlows {
public:
  /// `ranks` is in the order of the group.
  CollectiveFlows(const CollectiveWork& work, std::vector<RankId> ranks, const Topology& topology);
  /// From now on the bytes and loads of other work of the same kind.
  void take_amounts(const CollectiveWork& work);

  const std::vector<RankId>& ranks() const { return ranks_; }
  std::size_t phases() const { return shape_ == FlowShape::two_phases && two_level() ? 2 : 1; }
  /// True if the ranks of the other group share domains as those of this one do: flows of equal
  /// work go between the same positions then, and carry as much.
  bool sits_like(const CollectiveFlows& other) const;
  /// Adds the flows that the rank at `position` sends in a phase.
  void append(std::size_t phase, std::size_t position, std::vector<RankFlow>& flows) const;
  /// The flows of all ranks.
  std::vector<RankFlow> all(std::size_t phase) const { return sent_by_first(ranks_.size(), phase); }
  /// Those of the first `members` ranks.
  std::vector<RankFlow> sent_by_first(std::size_t members, std::size_t phase) const;
  PeerCount peers(std::size_t phase, std::size_t position) const;
  /// How the part within the domain is carried, and the part beyond it.
  Collective inside_kind() const;
  Collective outside_kind() const { return kind_; }
  /// Ranks in the fullest domain, and domains that take part.
  std::int64_t members_inside() const { return members_inside_; }
  std::int64_t members_outside() const { return members_outside_; }

private:
  void append_kind(std::size_t phase, std::size_t position, std::vector<RankFlow>& flows) const;
  /// True if the group spans domains and fills each alike.
  bool two_level() const { return width_ > 0 && width_ < ranks_.size(); }
  std::size_t domains() const { return ranks_.size() / width_; }
  double share(std::size_t source, std::size_t sink) const;
  void append_all_to_all(std::size_t position, std::vector<RankFlow>& flows) const;
  void append_two_phases(std::size_t phase, std::size_t position,
                         std::vector<RankFlow>& flows) const;
  void append_fan_out(std::size_t position, std::vector<RankFlow>& flows) const;
  void append_ring(double passed, std::size_t position, std::vector<RankFlow>& flows) const;
  void append_tree(std::size_t position, std::vector<RankFlow>& flows) const;
  void append_in_switch(std::size_t position, std::vector<RankFlow>& flows) const;

  const Topology& topology_;
  Collective kind_;
  FlowShape shape_;
  double bytes_ = 0.0;
  std::shared_ptr<const LoadMatrix> loads_; ///< null: all alike
  TokenFanOut fan_out_;
  /// Dispatch and combine: how many ranks and domains a token goes to, by expected_parts.
  double token_ranks_ = 0.0;
  double token_domains_ = 0.0;
  std::vector<RankId> ranks_;
  std::size_t width_ = 0;             ///< ranks in each domain; 0 if they differ
  std::vector<std::int64_t> domain_;  ///< by position
  std::vector<std::int64_t> sharers_; ///< by position: ranks of the group in its domain
  std::int64_t members_inside_ = 0;
  std::int64_t members_outside_ = 0;
};

} // namespace moesim
