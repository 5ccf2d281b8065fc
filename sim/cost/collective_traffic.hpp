#pragma once

#include "sim/cost/network_cost.hpp"

#include <cstdint>
#include <string>

namespace moesim {

/// Ranks that take part in a collective, the same number in each scale-up domain.
struct RankGroup {
  std::int64_t ranks = 1;
  std::int64_t domains = 1;
  std::int64_t domain_ranks() const { return ranks / domains; }
};

/// Bytes that one rank sends over its links; the mean over the ranks.
struct TierBytes {
  double scale_up = 0.0;
  double scale_out = 0.0;
};

/// The bytes of a collective of `size` bytes, as nccl-tests defines the size, with n ranks in N
/// domains of g:
///   all_to_all                    inside size·(g−1)/n, outside size·(n−g)/n
///   two_phase_all_to_all          inside size·(g−1)/g, outside size·(n−g)/n
///   all_gather, reduce_scatter    t = size·(n−1)/n; one domain: inside t; several, a ring through
///                                 every network card: inside t·(g−1)/g, outside t/g
///   all_reduce                    twice that
///   all_reduce_tree               inside 2·size·(g−1)/g, outside 2·size·(N−1)/N/g
///   all_reduce_in_switch          inside size·(g+1)/g (g > 1), outside 2·size·(N−1)/N/g
///   point_to_point                size, inside or outside
/// Dispatch and combine are not accepted, as their bytes follow from the routing.
TierBytes collective_bytes(Collective collective, double size, const RankGroup& group);

/// Number of peers outside the domain for the start-up of a collective: the other domains of a
/// ring, the levels of a tree of the domains, else the ranks of other domains.
std::int64_t outside_peers(Collective collective, const RankGroup& group);

/// The collective that carries the scale-up part of one that leaves the domain; the part of a
/// dispatch is forwarded, for example.
Collective inside_part(Collective collective, const RankGroup& group);

/// The links of a rank.
struct RankLinks {
  std::string scale_up; ///< interconnect
  BytesPerSecond scale_up_capacity;
  std::string scale_out; ///< interconnect; empty without a network
  BytesPerSecond scale_out_capacity;
};

/// The time of a collective with all links to itself: start-up, then the slower of both tiers.
Seconds collective_time(const NetworkCost& costs, Collective collective, const TierBytes& bytes,
                        const RankGroup& group, const RankLinks& links);

} // namespace moesim
