#include "sim/replay/block_symmetry.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

std::optional<BlockSymmetry> BlockSymmetry::find(const ParallelPlan& plan,
                                                 const Topology& topology) {
  if (!topology.regular())
    return std::nullopt;
  std::vector<std::int64_t> parts = {plan.tensor * plan.context, plan.expert_tensor * plan.expert};
  for (const std::int64_t unit : topology.spec().unit_gpus())
    parts.push_back(unit);
  std::int64_t block = 1;
  for (const std::int64_t ranks : parts) {
    if (plan.stage_ranks() % ranks != 0)
      return std::nullopt;
    block = std::lcm(block, ranks); // the result also divides a stage's ranks
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
