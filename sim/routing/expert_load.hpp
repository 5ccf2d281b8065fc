#pragma once

#include "sim/workload/collective.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace moesim {

/// How the routed tokens of one layer fall on the experts and their ranks, in multiples of the mean
/// without drops. All ranks of a group send alike.
struct ExpertLoad {
  std::vector<double> wanted; ///< by expert: what the router chooses
  std::vector<double> kept;   ///< by expert: of these at most the capacity factor
  std::vector<double> ranks;  ///< by rank of the expert-parallel group: the mean of its experts
  double kept_share = 1.0;    ///< of all routed tokens: the mean of `kept`
  std::shared_ptr<const LoadMatrix> dispatch; ///< to the experts; mean 1
  std::shared_ptr<const LoadMatrix> combine;  ///< back; mean 1

  /// The tokens that the experts of a rank of the group compute; without a rank, of the busiest.
  double rank_load(std::optional<std::int64_t> rank) const;
};

/// The load of an MoE layer under a plan, its experts placed rank by rank in their order; nothing
/// if all experts are alike.
std::shared_ptr<const ExpertLoad> expert_load(const Workload& workload, std::int64_t layer);

} // namespace moesim
