#include "sim/replay/block_symmetry.hpp"

#include <algorithm>
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

std::size_t members_in_first_block(const std::optional<BlockSymmetry>& symmetry,
                                   const std::vector<RankId>& group) {
  if (!symmetry)
    return group.size();
  const auto beyond = std::find_if_not(group.begin(), group.end(),
                                       [&](RankId rank) { return symmetry->in_first_block(rank); });
  return static_cast<std::size_t>(beyond - group.begin());
}

} // namespace moesim
