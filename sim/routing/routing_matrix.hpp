#pragma once

#include "sim/workload/workload.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// Pairs (one token on one of its experts) of one MoE layer and micro-batch, from each rank of an
/// expert-parallel group to each expert. Indexed by rank, then by expert.
struct RoutingMatrix {
  std::int64_t sources = 0;
  std::int64_t experts = 0;
  std::vector<std::uint32_t> wanted; ///< pairs that the router chooses
  std::vector<std::uint32_t> kept;   ///< at most the capacity of an expert; pairs above it are
                                     ///< dropped
  std::uint32_t padded_to = 0;       ///< least number of pairs, with padding, that a rank sends to
                                     ///< an expert

  std::int64_t wanted_tokens() const; ///< sum over all ranks
  std::int64_t kept_tokens() const;
};

/// Most tokens that an expert takes from one rank that routes `routed_tokens` pairs: ⌈capacity
/// factor × routed / experts⌉ (Switch Transformer, arXiv 2101.03961, equation 3). Each rank drops
/// tokens on its own before dispatch, as in Megatron-Core's get_capacity. Without a capacity
/// factor, all.
std::int64_t expert_capacity(double capacity_factor, std::int64_t routed_tokens,
                             std::int64_t experts);

/// The matrix of a layer and micro-batch. Without sampling each rank's tokens follow the shares of
/// `load_shares` as closely as whole tokens can; with sampling, each token is drawn. A token
/// chooses an expert at most once, so no expert gets more than all tokens of a rank. Recorded
/// sequences are dealt out to the ranks in turn, micro-batch by micro-batch.
RoutingMatrix routing_matrix(const Workload& workload, std::int64_t layer,
                             std::int64_t micro_batch);

} // namespace moesim
