#include "sim/replay/farthest_flows.hpp"

namespace moesim {

const FarthestFlows::Farthest& FarthestFlows::of(const CollectiveFlows& group, std::size_t phase,
                                                 const CollectiveWork& work, DeviceId device) {
  const std::optional<BlockSymmetry>& symmetry = context_.symmetry;
  const std::size_t devices = context_.layout.devices.size();
  const std::size_t repeated =
      symmetry ? devices / static_cast<std::size_t>(context_.plan.pipeline) : devices;
  const auto [known, added] =
      known_.try_emplace({work.kind, work.group, phase, index(device) % repeated});
  if (!added)
    return known->second;
  const RankId rank = context_.device(device).rank;
  const std::size_t senders = symmetry && symmetry->in_first_block(rank)
                                  ? members_in_first_block(symmetry, group.ranks())
                                  : group.ranks().size();
  const FarthestFlow farthest =
      find_farthest(group.sent_by_first(senders, phase), rank, context_.topology);
  known->second = {group.position_of(farthest.sender), farthest.path};
  return known->second;
}

} // namespace moesim
