#pragma once

#include "sim/replay/link_sums.hpp"
#include "sim/replay/traffic_model.hpp"

#include <map>
#include <optional>
#include <tuple>

namespace moesim {

/// Routes of the collectives of stages. Works that differ in loads and bytes alone share them.
class StageRoutes {
public:
  /// Objects that the context names must outlive the routes.
  explicit StageRoutes(const TrafficContext& context) : context_(context) {}

  /// The plan of all groups of a stage, equal to that of LinkLoads, but faster after the first
  /// work. Nothing if the routes take too much memory.
  std::optional<TrafficPlan> plan(const CollectiveWork& work, DeviceId device);

private:
  /// The parts of a phase, over all groups of a stage, that do not depend on bytes.
  struct Phase {
    FlowKind kind;
    std::vector<CollectiveFlows> shapes; ///< one group for each arrangement in domains
    LinkSums sums;                       ///< over the flows of the shapes, one shape after the
                                         ///< other
    Seconds startup;
    double error = 0.0;
  };
  /// The phases, found at their first use; empty if they take too much memory.
  std::vector<Phase>& phases_of(const CollectiveWork& work, DeviceId device);
  std::optional<Phase> find_phase(const std::vector<CollectiveFlows>& groups,
                                  const CollectiveFlows& own, std::size_t phase,
                                  RankId first) const;
  TrafficPhase plan_phase(const CollectiveWork& work, std::size_t number, Phase& phase,
                          RankId member) const;

  TrafficContext context_;
  std::map<std::tuple<Collective, GroupKind, DeviceId>, std::vector<Phase>> known_;
};

} // namespace moesim
