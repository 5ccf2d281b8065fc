#pragma once

#include "sim/replay/replay.hpp"
#include "sim/search/step_replay.hpp"

namespace moesim {

/// Costs without start-ups and with every link at full capacity, so that times can be worked out by
/// hand; kernels as `lasting` says. A host takes 100 us to post a dispatch of DeepEP, and 1 us for
/// each two copies of tokens.
Costs ideal_costs();

/// A kernel that takes this long under `ideal_costs`.
Kernel lasting(Seconds time);

/// Nodes of 8 GPUs (scale-up 450 GB/s, 0.25 us to the switch) with 8 NICs (50 GB/s, 0.6 us to the
/// leaf, PCIe as fast); leaves without oversubscription, 0.5 us below the spine.
TopologySpec ideal_cluster(FabricKind fabric, std::int64_t nodes_per_leaf);

/// One collective over all ranks of a plan without pipeline, on its own.
struct LoneCollective {
  StepGraph graph;
  ReplayLayout layout;
};
LoneCollective lone_collective(const ParallelPlan& plan, const CollectiveWork& work,
                               Fidelity fidelity);

/// The time of that.
Seconds time_of(const ParallelPlan& plan, const CollectiveWork& work, Fidelity fidelity,
                const TopologySpec& cluster);

} // namespace moesim
