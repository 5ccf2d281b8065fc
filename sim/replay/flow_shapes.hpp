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
  double message_bytes = 0.0; ///< bytes that the source sends over this tier, which decide the
                              ///< efficiency
};

/// The scale-up domains of the ranks of a group.
struct GroupSeats {
  GroupSeats(std::vector<RankId> group, const Topology& topology);

  std::vector<RankId> ranks;         ///< in the order of the group
  std::vector<std::int64_t> domain;  ///< by position
  std::vector<std::int64_t> sharers; ///< by position: ranks of the group in its domain
  std::size_t width = 0;             ///< ranks in each domain; 0 if they differ
  std::int64_t members_inside = 0;   ///< ranks in the fullest domain
  std::int64_t members_outside = 0;  ///< domains of the group

  /// True if the group spans domains and each holds the same number of its ranks.
  bool two_level() const { return width > 0 && width < ranks.size(); }
  std::size_t domains() const { return ranks.size() / width; }
};

/// The amounts of a collective.
struct FlowAmounts {
  double bytes = 0.0;                      ///< CollectiveWork::bytes
  std::shared_ptr<const LoadMatrix> loads; ///< null: all pairs of ranks carry the same
  TokenFanOut fan_out;
  /// Dispatch and combine: mean number of ranks and of domains that a token goes to, by
  /// expected_parts.
  double token_ranks = 0.0;
  double token_domains = 0.0;

  /// The load of a pair of positions over the mean.
  double share(std::size_t source, std::size_t sink) const {
    return loads ? loads->share(source, sink) : 1.0;
  }
};

/// Number of phases of a collective: 2 for a two-phase exchange over domains with equal numbers of
/// ranks, else 1.
std::size_t phase_count(FlowShape shape, const GroupSeats& seats);

/// Adds the flows of the rank at `position` in a phase of a collective, without their message
/// sizes. Throws InternalError for a collective that is not of a group.
void append_shape(Collective kind, std::size_t phase, std::size_t position, const GroupSeats& seats,
                  const FlowAmounts& amounts, std::vector<RankFlow>& flows);

} // namespace moesim
