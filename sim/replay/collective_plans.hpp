#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/replay/traffic_model.hpp"

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace moesim {

/// Plans of collectives with nothing beside them, each made once: the phases of the fastest
/// algorithm, the wait for ranks and the host's posts.
class CollectivePlans {
public:
  /// `compute` tells the host's times; null for a graph that computes nothing. Arguments, and the
  /// objects that the context names, must outlive the plans.
  CollectivePlans(TrafficModel& model, const NetworkCost& network, const ComputeCost* compute,
                  const TrafficContext& context)
      : model_(model), network_(network), compute_(compute), context_(context) {}

  /// Valid as long as this object. `device` stands for a rank of the group.
  const TrafficPlan& of(const CollectiveWork& work, DeviceId device);

private:
  /// A plan in the first stage that asked for it, and the links asked for meanwhile, in order.
  struct StagePlan {
    DeviceId device{};
    std::vector<LinkId> links;
  };
  TrafficPlan plan(const CollectiveWork& work, DeviceId device);
  TrafficPlan plan_alone(const CollectiveWork& work, DeviceId device);
  /// The plan of another stage, moved to that of the device: the same where stages are copies.
  TrafficPlan plan_as_in(const StagePlan& other, const CollectiveWork& work, DeviceId device);
  /// An all-reduce takes the algorithm that is fastest on its own, as NCCL's tuner chooses it:
  /// ring, tree or, where the scale-up switch can, in the switch.
  TrafficPlan fastest(const CollectiveWork& work, DeviceId device);
  /// The algorithms beside the ring that an all-reduce may take.
  std::vector<Collective> other_all_reduces() const;

  TrafficModel& model_;
  const NetworkCost& network_;
  const ComputeCost* compute_;
  TrafficContext context_;
  std::map<std::pair<CollectiveWork, DeviceId>, TrafficPlan> known_;
  /// By work and class of ranks; filled where stages are copies.
  std::map<std::pair<CollectiveWork, std::size_t>, StagePlan> stage_plans_;
};

} // namespace moesim
