#pragma once

#include "sim/workload/routing_spec.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// Which expert each slot of each rank of an expert-parallel group holds. An expert with several
/// slots is replicated.
struct Placement {
  std::int64_t ranks = 1;
  std::vector<std::int64_t> expert_of_slot; ///< rank by rank, as many slots each

  std::int64_t slots_per_rank() const;
  /// The number of slots of each expert.
  std::vector<std::int64_t> replicas(std::int64_t experts) const;
};

/// What is to be placed, and where.
struct PlacementRequest {
  PlacementKind kind = PlacementKind::contiguous;
  std::int64_t experts = 1;
  std::int64_t ranks = 1; ///< of the expert-parallel group
  /// Ranks of a scale-up domain, in order of rank; from `ranks` on, all are in one domain. What
  /// EPLB calls a node.
  std::int64_t ranks_per_domain = 1;
  std::int64_t expert_groups = 1; ///< of node-limited routing; 0 or 1: none
  std::int64_t redundant = 0;     ///< slots of the whole group beyond one for each expert
};

/// Token copies (one for each expert that a token chooses) that a source rank sends to an expert:
/// tokens[source][expert].
using TokensBySource = std::vector<std::vector<double>>;

/// Places experts, the busiest of them several times, by their loads: tokens of each expert, on any
/// scale. A rank holds an expert twice only if it has more slots than there are experts (with
/// groups kept within domains: experts of its domain).
///
/// contiguous, round_robin: after its own experts, each rank has copies in the slots left. One by
/// one, the expert with the highest load per replica gets a copy on the least loaded rank with a
/// free slot that does not hold it; experts for which there is no such rank are passed over. Groups
/// of experts are not regarded: a copy may be outside the domain of its group.
/// load_aware: hierarchical EPLB if the domains are alike, and divide the groups of experts; else
/// global EPLB. It is greedy, so that a placement that ignores loads may by chance be more even, in
/// fewer than 1 of 100 random cases. Hierarchical EPLB keeps every copy in the domain of its group,
/// and is often less even than a placement whose copies go anywhere.
/// topology_aware: as below, for sources that all send alike.
///
/// Throws std::invalid_argument if experts + redundant is no multiple of the ranks (naming the
/// nearest number of redundant slots that works), groups do not divide the experts, domains of
/// topology_aware differ in size, or there is not one load, finite and not below zero, per expert.
Placement place_experts(const PlacementRequest& request, const std::vector<double>& loads);

/// The same by the tokens that each rank sends to each expert; the loads are their sums.
///
/// topology_aware places experts so that few token copies leave their scale-up domain, and second,
/// that ranks are evenly loaded. Replicas are as many as global EPLB makes. An expert's tokens are
/// split evenly among its replicas, whatever their source, so that a replica keeps in its domain
/// what the domain sends to the expert, over the replicas. Replicas choose a domain one by one:
/// first those to which the best domain for them sends the most more than the second best; of
/// equals, the more loaded. Each takes the domain with room that sends it most, of equals the least
/// loaded. The replicas of a domain are packed onto its ranks by load, as EPLB does. Greedy: it
/// need not find the least traffic. Groups of experts are not regarded.
Placement place_experts(const PlacementRequest& request, const TokensBySource& tokens);

/// True if the experts of a group of node-limited routing, copies included, share a scale-up
/// domain, so that a token of few groups goes to few domains.
bool keeps_groups_in_domains(const PlacementRequest& request);

/// The load of each rank: the tokens of an expert are split evenly among its replicas.
std::vector<double> rank_loads(const Placement& placement, const std::vector<double>& loads);

/// Token copies whose expert is outside the scale-up domain of their source, where an expert's
/// tokens are split evenly among its replicas. Times the bytes of a token: what leaves domains in
/// dispatch, if a token is sent once for each expert.
double tokens_leaving_domains(const Placement& placement, const TokensBySource& tokens,
                              std::int64_t ranks_per_domain);

/// By rank: slots whose expert has an earlier slot, on the rank or one before it. Each holds
/// weights (and gradients) of an expert beyond those of the model.
std::vector<std::int64_t> replicas_beyond_first(const Placement& placement, std::int64_t experts);

/// Ranks with replicas of one expert: they must sum its gradients, and get the same weights.
struct ReplicaRanks {
  std::int64_t expert = 0;
  std::vector<std::int64_t> ranks; ///< rising, two or more
};

/// One entry for each expert that several ranks hold, in order of expert.
std::vector<ReplicaRanks> ranks_of_replicas(const Placement& placement, std::int64_t experts);

} // namespace moesim
