#pragma once

#include "sim/workload/routing_spec.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// The expert in each slot of each rank of an expert-parallel group. An expert with several slots
/// is replicated.
struct Placement {
  std::int64_t ranks = 1;
  std::vector<std::int64_t> expert_of_slot; ///< rank by rank, each with the same number of slots

  std::int64_t slots_per_rank() const;
  /// The number of slots of each expert.
  std::vector<std::int64_t> replicas(std::int64_t experts) const;
};

/// The experts to place, and the ranks that hold them.
struct PlacementRequest {
  PlacementKind kind = PlacementKind::contiguous;
  std::int64_t experts = 1;
  std::int64_t ranks = 1; ///< ranks of the expert-parallel group
  /// Consecutive ranks of a scale-up domain (EPLB's node). A value of `ranks` or more means one
  /// domain.
  std::int64_t ranks_per_domain = 1;
  std::int64_t expert_groups = 1; ///< groups of node-limited routing; 0 or 1: none
  std::int64_t redundant = 0;     ///< slots of the expert-parallel group beyond one for each expert
};

/// Pairs (one token on one of its experts) that a source rank sends to an expert:
/// tokens[source][expert].
using TokensBySource = std::vector<std::vector<double>>;

/// Places experts by their loads (tokens of each expert, in any unit) and replicates the busiest. A
/// rank holds an expert twice only if it has more slots than there are experts to choose from:
/// those of its domain if groups stay within domains, else all.
///
/// contiguous, round_robin: each rank has its own experts, then replicas in its free slots. One by
/// one, the expert with the highest load per replica gets a replica on the least loaded rank with a
/// free slot that does not hold it. Experts without such a rank are skipped. A replica may be
/// outside the domain of its group. load_aware: hierarchical EPLB if domains have equal size and
/// their number divides the groups of experts; else global EPLB. It is greedy: in fewer than 1 of
/// 100 random cases a placement that ignores loads is more even. Hierarchical EPLB keeps every
/// replica in the domain of its group; this is often less even than replicas on any rank.
/// topology_aware: see below, with the same tokens from each source.
///
/// Throws std::invalid_argument if experts + redundant is no multiple of the ranks (naming the
/// nearest number of redundant slots that works), groups do not divide the experts, domains of
/// topology_aware differ in size, or there is not one load, finite and not below zero, per expert.
Placement place_experts(const PlacementRequest& request, const std::vector<double>& loads);

/// The same from the tokens that each rank sends to each expert; the loads are their sums.
///
/// topology_aware places experts so that few pairs leave their scale-up domain and, second, ranks
/// have even loads. Global EPLB decides the number of replicas. An expert's tokens are split evenly
/// among its replicas for every source. A replica in a domain thus keeps there the domain's tokens
/// for the expert, divided by the number of replicas. Replicas choose a domain one by one. First
/// come those with the largest difference between the tokens of their best and of their second best
/// domain; of equal ones, the more loaded. Each takes the domain with room that sends it the most
/// tokens; of equal ones, the least loaded. The replicas of a domain are packed onto its ranks by
/// load, as in EPLB. The rule is greedy and need not find the least traffic. It ignores groups of
/// experts.
Placement place_experts(const PlacementRequest& request, const TokensBySource& tokens);

/// True if the experts of a group of node-limited routing, replicas included, share a scale-up
/// domain, so that a token of few groups goes to few domains.
bool keeps_groups_in_domains(const PlacementRequest& request);

/// The load of each rank: the tokens of an expert are split evenly among its replicas.
std::vector<double> rank_loads(const Placement& placement, const std::vector<double>& loads);

/// Pairs whose expert is outside the scale-up domain of their source, if an expert's tokens are
/// split evenly among its replicas. Multiplied by the bytes of a token, these are the bytes of a
/// dispatch that leave domains, if a token is sent once for each expert.
double tokens_leaving_domains(const Placement& placement, const TokensBySource& tokens,
                              std::int64_t ranks_per_domain);

/// Number of slots, by rank, whose expert has an earlier slot on the rank or on one before it. Each
/// such slot holds weights (and gradients) of an expert in addition to those of the model.
std::vector<std::int64_t> replicas_beyond_first(const Placement& placement, std::int64_t experts);

/// Ranks with replicas of one expert: they must sum its gradients and get the same weights.
struct ReplicaRanks {
  std::int64_t expert = 0;
  std::vector<std::int64_t> ranks; ///< rising, two or more
};

/// One entry for each expert that several ranks hold, in order of expert.
std::vector<ReplicaRanks> ranks_of_replicas(const Placement& placement, std::int64_t experts);

} // namespace moesim
