#pragma once

#include "sim/replay/traffic.hpp"

#include <map>
#include <tuple>

namespace moesim {

/// What an operation sends: its work and its place, alike for all micro-batches.
using TrafficKey = std::tuple<OpKind, std::uint32_t, std::uint32_t>;
inline TrafficKey key_of(const Op& op) {
  return {op.kind, op.work, op.place};
}
using TrafficPlans = std::map<TrafficKey, TrafficPlan>;

/// The flows of all phases.
std::vector<PlannedFlow> flows_of(const TrafficPlan& plan);

/// Operations whose durations are known before the replay, and how they follow each other.
struct Chains {
  static constexpr std::uint32_t no_op = ~0U;
  std::vector<double> duration;    ///< in seconds, by OpId; negative if not known
  std::vector<std::uint32_t> next; ///< by OpId; no_op at the end of a chain
};

/// Joins operations of known duration that follow each other and nothing else into chains, which
/// the machine plays as one delay. Exact, and most of a step without contention is such chains.
/// Known are computes, by `compute_durations` of every operation (in seconds; not read for
/// others), and communications over links that no other device uses.
Chains find_chains(const StepGraph& graph, const TrafficPlans& plans, const LinkFolding& folding,
                   const std::vector<double>& compute_durations);

} // namespace moesim
