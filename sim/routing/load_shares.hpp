#pragma once

#include "sim/workload/workload.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// Whose tokens: those of a micro-batch on a rank of the expert-parallel group, in an MoE layer.
struct TokenOrigin {
  std::int64_t layer = 0;
  std::int64_t micro_batch = 0;
  std::int64_t source = 0;
};

/// The share of routed tokens that each expert is chosen for; they add up to 1, and none is above
/// 1 / k, as a token chooses an expert once. What is random follows from the seed and the layer
/// alone.
/// - uniform: all alike.
/// - Zipf: the expert of rank r, counted from 1, in proportion to 1 / r^alpha, the ranks dealt out
///   at random.
/// - Dirichlet: drawn from the symmetric distribution of that concentration, of which a small one
///   favours few experts. Both, under two-level gates, for groups of experts and within each.
/// - hot expert, hot rank: one expert of each layer, drawn at random, or all experts of the first
///   rank, get `hot_load` times the mean.
/// - trace: as it was recorded. Rows are used in turn, by micro-batch or, if they are sequences of
/// a
///   rank, by micro-batch and rank; the same rows in all layers.
/// - trained: as a router that is trained for `routing.step` steps has it; it is trained now,
/// unless
///   it was before (trained_loads_of).
std::vector<double> load_shares(const Workload& workload, const TokenOrigin& origin);

} // namespace moesim
