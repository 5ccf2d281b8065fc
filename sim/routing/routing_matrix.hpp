#pragma once

#include "sim/workload/workload.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// Where the tokens of one MoE layer and micro-batch go, in whole tokens: from each rank of an
/// expert-parallel group to each expert, a token as often as it has experts. By rank, then by
/// expert.
struct RoutingMatrix {
  std::int64_t sources = 0;
  std::int64_t experts = 0;
  std::vector<std::uint32_t> wanted; ///< what the router chooses
  std::vector<std::uint32_t> kept;   ///< of these at most the capacity; what is above is dropped
  std::uint32_t padded_to = 0;       ///< so many are sent and computed even where fewer are kept

  std::int64_t wanted_tokens() const; ///< of all ranks
  std::int64_t kept_tokens() const;
};

/// The tokens that an expert takes from one rank, whose tokens are chosen for so many experts in
/// all: ⌈capacity factor × routed / experts⌉ (Switch Transformer, arXiv 2101.03961, equation 3;
/// each rank drops on its own before dispatch, as Megatron-Core's get_capacity counts). Without a
/// capacity factor all.
std::int64_t expert_capacity(double capacity_factor, std::int64_t routed_tokens,
                             std::int64_t experts);

/// The matrix of a layer and micro-batch. Without sampling each rank's tokens follow the shares of
/// `load_shares` as closely as whole tokens can; sampled, each is drawn. A token chooses an expert
/// at most once, so no expert gets more than all tokens of a rank. Recorded sequences are dealt out
/// to the ranks in turn, micro-batch by micro-batch.
RoutingMatrix routing_matrix(const Workload& workload, std::int64_t layer,
                             std::int64_t micro_batch);

} // namespace moesim
