#pragma once

#include "sim/workload/routing_spec.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// The share of a layer's routed tokens that each expert is chosen for; they add up to 1. Uniform:
/// all alike. Zipf: the expert of rank r, counted from 1, in proportion to 1 / r^alpha, the ranks
/// dealt out at random. Dirichlet: drawn from the symmetric distribution of that concentration, of
/// which a small one favours few experts. Trace: as it was recorded. What is random follows from
/// the seed and the layer alone.
std::vector<double> load_shares(const RoutingSpec& routing, std::int64_t experts,
                                std::int64_t layer);

} // namespace moesim
