#pragma once

#include "sim/replay/beside_computes.hpp"
#include "sim/replay/collective_plans.hpp"
#include "sim/replay/traffic_model.hpp"
#include "sim/replay/transfer_plans.hpp"

#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace moesim {

/// Plans the traffic of the communications of a graph on the links of a replay, by the strategy of
/// its load model.
class TrafficPlanner {
public:
  /// `compute` gives the rates of communication in training and beside computes; null for a graph
  /// without computes. Arguments must outlive the planner.
  TrafficPlanner(const ReplayLayout& layout, const ParallelPlan& plan, const Topology& topology,
                 const NetworkCost& network, const ComputeCost* compute);
  TrafficPlanner(const TrafficPlanner&) = delete;
  TrafficPlanner& operator=(const TrafficPlanner&) = delete;

  /// The plan of a collective by its fastest algorithm, valid as long as the planner.
  const TrafficPlan& collective(const CollectiveWork& work, const DeviceGroup& group);
  TrafficPlan transfer(const TransferWork& work, const DevicePair& pair) {
    return transfers_.of(work, pair);
  }
  /// The time and the memory traffic of a collective beside a compute. The graph must have
  /// computes.
  BesideCompute beside_compute(const CollectiveWork& work, const DeviceGroup& group);
  const LinkFolding& folding() const { return folding_; }
  const TrafficNotes& notes() const { return notes_; }

private:
  TrafficNotes notes_;
  FlowCosts costs_;
  LinkFolding folding_;
  std::optional<BlockSymmetry> symmetry_;       ///< symmetry of ranks and links
  std::optional<BlockSymmetry> class_symmetry_; ///< symmetry that their classes also have
  TrafficContext context_;
  std::unique_ptr<TrafficModel> model_;
  CollectivePlans plans_;
  TransferPlans transfers_;
  std::optional<BesideComputes> beside_; ///< nothing for a graph without computes
  /// Plans of collectives beside computes.
  std::map<std::pair<CollectiveWork, DeviceId>, TrafficPlan> slowed_;
};

} // namespace moesim
