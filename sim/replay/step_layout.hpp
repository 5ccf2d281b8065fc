#pragma once

#include "sim/replay/folding.hpp"
#include "sim/routing/expert_load.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

/// The devices of a replay whose ranks all carry the same.
ReplayLayout replay_layout(const ParallelPlan& plan, const Topology& topology, Fidelity fidelity);

/// The devices of a replay of a step. Its ranks may differ by the loads of their experts, or by the
/// links that they use beside others. `loads` are those of the workload. `try_few`: with few
/// classes of ranks where those are quick to find (ReplayLayout::rings_together).
ReplayLayout step_layout(const Workload& workload, const Topology& topology, Fidelity fidelity,
                         const ExpertLoads& loads, bool try_few);

} // namespace moesim
