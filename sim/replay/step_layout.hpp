#pragma once

#include "sim/replay/folding.hpp"
#include "sim/routing/expert_load.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

/// The layout of a replay whose ranks all carry the same loads.
ReplayLayout replay_layout(const ParallelPlan& plan, const Topology& topology, Fidelity fidelity);

/// Whether all ranks of each stage carry the same loads. Replicas of experts add traffic between
/// the ranks that hold them. `loads` must be those of the workload.
bool ranks_carry_alike(const Workload& workload, const ExpertLoads& loads);

/// The layout of a replay of a step. Its ranks may differ by the loads of their experts, or by the
/// links that they share with others. `loads` must be those of the workload. `try_few` allows
/// coarser classes of ranks (ReplayLayout::rings_together).
ReplayLayout step_layout(const Workload& workload, const Topology& topology, Fidelity fidelity,
                         const ExpertLoads& loads, bool try_few);

} // namespace moesim
