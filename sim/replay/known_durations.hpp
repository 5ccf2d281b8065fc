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

/// How long operations take, in seconds by OpId, as far as that is known before the replay; else
/// negative. Known are computes, by `compute_durations` of every operation (not read for others),
/// and communications over links that no other device uses.
std::vector<double> known_durations(const StepGraph& graph, const TrafficPlans& plans,
                                    const LinkFolding& folding,
                                    const std::vector<double>& compute_durations);

} // namespace moesim
