#pragma once

#include "sim/replay/collective_plans.hpp"
#include "sim/replay/compute_times.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace moesim {

/// Times of collectives beside computes, while all groups of a stage run the collective and no
/// other traffic loads the links. The time is the same if one rank represents all groups or if each
/// group is replayed.
class BesideComputes {
public:
  /// Arguments, and the objects that the context names, must outlive this object.
  BesideComputes(CollectivePlans& plans, const ComputeCost& compute, const TrafficContext& context)
      : plans_(plans), compute_(compute), context_(context) {}

  /// Slows down the plan of a collective beside computes: it limits the rate of each flow. Other
  /// traffic can use the remaining capacity of the links.
  void slow_down(const CollectiveWork& work, DeviceId device, TrafficPlan& plan);
  /// The time and the memory traffic of a collective with the given plan.
  BesideCompute demand(const CollectiveWork& work, DeviceId device, const TrafficPlan& plan);

private:
  /// Amounts by link number of the replay.
  using LinkAmounts = std::map<std::uint32_t, double>;
  /// The amounts of all groups of a stage together on each link in a collective, by phase.
  const std::vector<LinkAmounts>& stage_amounts(const CollectiveWork& work, std::int64_t stage);
  /// The time of the flows of a phase while the other groups' flows share the links.
  Seconds flow_time(const TrafficPhase& phase, const LinkAmounts& amounts) const;

  CollectivePlans& plans_;
  const ComputeCost& compute_;
  TrafficContext context_;
  std::map<std::pair<CollectiveWork, std::int64_t>, std::vector<LinkAmounts>>
      amounts_; ///< by work and stage
};

} // namespace moesim
