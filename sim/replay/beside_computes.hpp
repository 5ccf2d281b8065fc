#pragma once

#include "sim/replay/collective_plans.hpp"
#include "sim/replay/compute_times.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace moesim {

/// Collectives beside computes: their times while all groups of a stage run theirs and nothing else
/// loads the links. The time is the same whether one rank stands for all groups or each is
/// replayed.
class BesideComputes {
public:
  /// Arguments, and the objects that the context names, must outlive this object.
  BesideComputes(CollectivePlans& plans, const ComputeCost& compute, const TrafficContext& context)
      : plans_(plans), compute_(compute), context_(context) {}

  /// Slows down the plan of a collective beside computes: no flow exceeds the rate that it has
  /// then. The rest of its links' capacity is for others.
  void slow_down(const CollectiveWork& work, DeviceId device, TrafficPlan& plan);
  /// The time and the memory traffic of a collective that runs by `plan`.
  BesideCompute demand(const CollectiveWork& work, DeviceId device, const TrafficPlan& plan);

private:
  /// Amounts by link of the replay.
  using LinkAmounts = std::map<std::uint32_t, double>;
  /// The amounts that all groups of a stage together put on links in a collective, by phase.
  const std::vector<LinkAmounts>& stage_amounts(const CollectiveWork& work, std::int64_t stage);
  /// The time of the flows of a phase beside those of the other groups.
  Seconds flow_time(const TrafficPhase& phase, const LinkAmounts& amounts) const;

  CollectivePlans& plans_;
  const ComputeCost& compute_;
  TrafficContext context_;
  std::map<std::pair<CollectiveWork, std::int64_t>, std::vector<LinkAmounts>>
      amounts_; ///< by work and stage
};

} // namespace moesim
