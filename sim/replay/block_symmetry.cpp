#include "sim/replay/block_symmetry.hpp"

#include <numeric>

namespace moesim {

std::optional<BlockSymmetry> BlockSymmetry::find(const ParallelPlan& plan,
                                                 const Topology& topology) {
  if (!topology.regular())
    return std::nullopt;
  const TopologySpec& spec = topology.spec();
  std::int64_t block = 1;
  for (const std::int64_t ranks :
       {spec.node.gpus, spec.node.scale_up_switch_gpus, spec.node.scale_up_gpus, spec.leaf_gpus(),
        spec.pod_gpus(), plan.tensor * plan.context, plan.expert_tensor * plan.expert}) {
    if (plan.stage_ranks() % ranks != 0)
      return std::nullopt;
    block = std::lcm(block, ranks); // divides a stage's ranks too
  }
  return BlockSymmetry(topology, plan.stage_ranks(), block);
}

} // namespace moesim
