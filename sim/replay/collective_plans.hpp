#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/replay/traffic_model.hpp"

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace moesim {

/// Plans of collectives without computes beside them, each made once: the phases of the fastest
/// algorithm, the wait for ranks and the host's posts.
class CollectivePlans {
public:
  /// `compute` gives the host's times; null for a graph without computes. Arguments, and the
  /// objects that the context names, must outlive the plans.
  CollectivePlans(TrafficModel& model, const NetworkCost& network, const ComputeCost* compute,
                  const TrafficContext& context)
      : model_(model), network_(network), compute_(compute), context_(context) {}

  /// The plan of a collective, valid as long as this object. `device` represents a rank of the
  /// group.
  const TrafficPlan& of(const CollectiveWork& work, DeviceId device);

private:
  /// A plan of the first stage that needed it, and the links that its making asked for, in order.
  struct StagePlan {
    DeviceId device{};
    std::vector<LinkId> links;
  };
  TrafficPlan plan(const CollectiveWork& work, DeviceId device);
  TrafficPlan plan_alone(const CollectiveWork& work, DeviceId device);
  /// The plan of another stage, moved to the stage of the device, for stages of equal structure.
  TrafficPlan plan_as_in(const StagePlan& other, const CollectiveWork& work, DeviceId device);
  /// The plan of the load model, and whether a kernel's own rate bounds it.
  TrafficPlan by_model(const CollectiveWork& work, DeviceId device);
  /// The plan of the fastest algorithm of an all-reduce alone, as NCCL's tuner chooses it: ring,
  /// tree or, if the scale-up switch can sum, in the switch.
  TrafficPlan fastest(const CollectiveWork& work, DeviceId device);
  /// Whether the messages of a collective between domains are as large as any that was measured.
  /// Smaller ones have no known costs, such as a start-up.
  bool is_measured(const CollectiveWork& work, DeviceId device) const;
  /// The algorithms beside the ring that an all-reduce may take.
  std::vector<Collective> other_all_reduces() const;

  TrafficModel& model_;
  const NetworkCost& network_;
  const ComputeCost* compute_;
  TrafficContext context_;
  std::map<std::pair<CollectiveWork, DeviceId>, TrafficPlan> known_;
  /// Plans by work and class of ranks; used if all stages have the same structure.
  std::map<std::pair<CollectiveWork, std::size_t>, StagePlan> stage_plans_;
};

} // namespace moesim
