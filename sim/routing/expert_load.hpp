#pragma once

#include "sim/routing/expert_placement.hpp"
#include "sim/routing/routing_matrix.hpp"
#include "sim/workload/load_matrix.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace moesim {

/// How the routed tokens of one layer and micro-batch fall on the experts and their ranks: what its
/// routing matrix comes to under a plan.
struct ExpertLoad {
  std::vector<std::int64_t> wanted; ///< tokens by expert: what the router chooses
  std::vector<std::int64_t> kept;   ///< tokens by expert: of these at most the capacity
  /// Tokens by rank of the expert-parallel group: of its experts, padding included.
  std::vector<std::int64_t> ranks;
  std::int64_t sent = 0;    ///< what a rank sends, with padding: the mean of the group, rounded
  bool ranks_alike = false; ///< every pair of ranks carries as much
  double kept_share = 1.0;  ///< of all routed tokens
  std::shared_ptr<const LoadMatrix> dispatch; ///< to the experts, in multiples of `sent` / ranks
  std::shared_ptr<const LoadMatrix> combine;  ///< back

  /// The tokens that the experts of a rank of the group compute; without a rank, of the busiest.
  std::int64_t rank_tokens(std::optional<std::int64_t> rank) const;
};

/// What a matrix comes to where experts sit so. The tokens that a rank sends to an expert are split
/// evenly between its copies, each rank beginning with another.
ExpertLoad expert_load(const RoutingMatrix& matrix, const Placement& placement);

/// What of a workload's uneven loads counts: for a step as it is, and for those that it is compared
/// with.
enum class Unevenness {
  full,
  computes, ///< experts compute unevenly, all pairs of ranks carry alike
  none      ///< as many tokens in all, each rank with the mean of them
};

/// The loads of the MoE layers of a workload, each made when it is first asked for. Not to be asked
/// by two threads at once.
class ExpertLoads {
public:
  /// The workload must live as long.
  explicit ExpertLoads(const Workload& workload, Unevenness unevenness = Unevenness::full)
      : workload_(workload), unevenness_(unevenness) {}

  /// Nothing if all experts are alike.
  std::shared_ptr<const ExpertLoad> at(std::int64_t layer, std::int64_t micro_batch) const;
  /// Of the micro-batch in which one rank has more tokens than any has in another.
  std::shared_ptr<const ExpertLoad> busiest(std::int64_t layer) const;
  /// In every layer and micro-batch every pair of ranks carries as much: one rank stands for all.
  bool ranks_alike() const;
  /// Where the experts of a layer sit.
  const Placement& placement(std::int64_t layer) const;
  /// How many micro-batches of a step differ: all or one, which then stands for all.
  std::int64_t micro_batches() const;

private:
  const Workload& workload_;
  Unevenness unevenness_;
  mutable std::map<std::pair<std::int64_t, std::int64_t>, std::shared_ptr<const ExpertLoad>> known_;
  mutable std::map<std::int64_t, Placement> placements_;
};

} // namespace moesim
