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

/// Tokens per expert and per rank of one layer and micro-batch, from its routing matrix and a
/// placement.
struct ExpertLoad {
  std::vector<std::int64_t> wanted; ///< tokens by expert that the router chooses
  std::vector<std::int64_t> kept;   ///< tokens by expert, at most the capacity
  /// Tokens by rank of the expert-parallel group that the experts of the rank get, padding
  /// included.
  std::vector<std::int64_t> ranks;
  /// By rank: tokens of its busiest expert over the mean of its experts.
  std::vector<double> busiest_over_mean;
  std::int64_t sent = 0;    ///< tokens that a rank sends, padding included: the mean of the group,
                            ///< rounded
  bool ranks_alike = false; ///< all pairs of ranks carry the same number of tokens
  double kept_share = 1.0;  ///< kept tokens over routed tokens
  std::shared_ptr<const LoadMatrix> dispatch; ///< loads of pairs of ranks, in multiples of `sent` /
                                              ///< ranks
  std::shared_ptr<const LoadMatrix> combine;  ///< loads of the way back

  /// Tokens that the experts of a rank of the group compute; without a rank, those of the busiest
  /// rank.
  std::int64_t rank_tokens(std::optional<std::int64_t> rank) const;
  /// `busiest_over_mean` of a rank of the group; without a rank, of the busiest rank.
  double rank_busiest_over_mean(std::optional<std::int64_t> rank) const;
};

/// Tokens per expert and per rank that a routing matrix gives under this placement. A rank splits
/// its tokens for an expert evenly between the expert's replicas. Odd tokens go to the first
/// replicas, counted from a replica that differs by rank.
ExpertLoad expert_load(const RoutingMatrix& matrix, const Placement& placement);

/// The part of a workload's uneven loads that counts: all of it for the step itself, less for the
/// steps that it is compared with.
enum class Unevenness {
  full,
  computes,  ///< experts compute uneven loads; all pairs of ranks carry the mean
  none,      ///< the same tokens in all; each rank has the mean
  none_apart ///< as `none`, with ranks told apart as those of uneven loads are
};

/// The loads of the MoE layers of a workload, each made at its first use. Not safe for two threads
/// at once.
class ExpertLoads {
public:
  /// The workload must outlive this object.
  explicit ExpertLoads(const Workload& workload, Unevenness unevenness = Unevenness::full)
      : workload_(workload), unevenness_(unevenness) {}

  /// The load of a layer and micro-batch; null if all experts have the same load.
  std::shared_ptr<const ExpertLoad> at(std::int64_t layer, std::int64_t micro_batch) const;
  /// The load of the micro-batch whose busiest rank has the most tokens.
  std::shared_ptr<const ExpertLoad> busiest(std::int64_t layer) const;
  /// Whether, in every layer and micro-batch, all pairs of ranks carry the same number of tokens.
  /// Then one rank represents all ranks.
  bool ranks_alike() const;
  /// The placement of a layer's experts.
  const Placement& placement(std::int64_t layer) const;
  /// Number of micro-batches with loads of their own: all, or 1 if all have the loads of
  /// micro-batch 0.
  std::int64_t micro_batches() const;

private:
  const Workload& workload_;
  Unevenness unevenness_;
  mutable std::map<std::pair<std::int64_t, std::int64_t>, std::shared_ptr<const ExpertLoad>> known_;
  mutable std::map<std::int64_t, Placement> placements_;
};

} // namespace moesim
