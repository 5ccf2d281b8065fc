#pragma once

#include "sim/workload/workload.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// The source of tokens: a micro-batch on a rank of the expert-parallel group, in an MoE layer.
struct TokenOrigin {
  std::int64_t layer = 0;
  std::int64_t micro_batch = 0;
  std::int64_t source = 0;
};

/// The share of routed tokens that each expert gets. Shares add up to 1; none is above 1 / k, as a
/// token chooses an expert at most once. Random draws follow from the seed and the layer alone.
/// - uniform: 1 / experts each.
/// - Zipf: the expert of rank r, counted from 1, in proportion to 1 / r^alpha, with random
///   ranks.
/// - Dirichlet: a draw of the symmetric distribution; a small concentration favours few experts.
///   With two-level gates, Zipf and Dirichlet hold for groups of experts, and within each group.
/// - hot expert, hot rank: one expert of each layer, drawn at random, or all experts of the first
///   rank, get `hot_load` times the mean.
/// - trace: the shares of a recording. Rows are used in turn, by micro-batch or, if they are
///   sequences of a rank, by micro-batch and rank; all layers use the same row.
/// - trained: the shares of a router after `routing.step` steps of training; the first call trains
///   it (trained_loads_of).
std::vector<double> load_shares(const Workload& workload, const TokenOrigin& origin);

} // namespace moesim
