#pragma once

#include "sim/replay/link_sums.hpp"
#include "sim/replay/traffic_model.hpp"

#include <map>
#include <optional>
#include <tuple>

namespace moesim {

/// Routes of the collectives of stages, found once for all works that differ in their loads and
/// bytes alone: their flows take the same routes.
class StageRoutes {
public:
  /// Objects that the context names must outlive the routes.
  explicit StageRoutes(const TrafficContext& context) : context_(context) {}

  /// The plan of all groups of a stage, as from LinkLoads, in less time for each work but the
  /// first; nothing if the routes take too much memory.
  std::optional<TrafficPlan> plan(const CollectiveWork& work, DeviceId device);

private:
  /// A phase of a collective in all groups of a stage, as far as it does not depend on bytes.
  struct Phase {
    FlowKind kind;
    std::vector<CollectiveFlows> shapes; ///< a group of each way to sit
    LinkSums sums;                       ///< of the flows of the shapes, one shape after the other
    Seconds startup;
    double error = 0.0;
  };
  /// Found when they are first asked for; none if they take too much memory.
  std::vector<Phase>& phases_of(const CollectiveWork& work, DeviceId device);
  std::optional<Phase> find_phase(const std::vector<CollectiveFlows>& groups,
                                  const CollectiveFlows& own, std::size_t phase,
                                  RankId first) const;
  TrafficPhase plan_phase(const CollectiveWork& work, std::size_t number, Phase& phase) const;

  TrafficContext context_;
  std::map<std::tuple<Collective, GroupKind, DeviceId>, std::vector<Phase>> known_;
};

} // namespace moesim
