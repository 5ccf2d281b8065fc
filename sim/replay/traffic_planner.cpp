#include "sim/replay/traffic_planner.hpp"

#include "sim/base/check.hpp"

namespace moesim {

TrafficPlanner::TrafficPlanner(const ReplayLayout& layout, const ParallelPlan& plan,
                               const Topology& topology, const NetworkCost& network,
                               const ComputeCost* compute)
    : costs_(topology, network, compute, notes_), folding_(layout, plan, topology),
      symmetry_(BlockSymmetry::find(plan, topology)),
      class_symmetry_(layout.first_alike.empty() ? std::nullopt : symmetry_),
      context_{layout.layout, plan, topology, costs_, folding_, notes_, symmetry_, class_symmetry_},
      model_(make_traffic_model(layout.model, context_)),
      plans_(*model_, network, compute, context_), transfers_(*model_, context_) {
  if (compute)
    beside_.emplace(plans_, *compute, context_);
}

const TrafficPlan& TrafficPlanner::collective(const CollectiveWork& work,
                                              const DeviceGroup& group) {
  const DeviceId device = group.devices.front();
  if (!work.beside_compute)
    return plans_.of(work, device);
  const auto [known, added] = slowed_.try_emplace({work, device});
  if (added) {
    CollectiveWork alone = work;
    alone.beside_compute = false;
    known->second = plans_.of(alone, device);
    if (beside_)
      beside_->slow_down(work, device, known->second);
  }
  return known->second;
}

BesideCompute TrafficPlanner::beside_compute(const CollectiveWork& work, const DeviceGroup& group) {
  INVARIANT(beside_, "{} beside a compute in a graph that computes nothing",
            collective_name(work.kind));
  return beside_->demand(work, group.devices.front(), collective(work, group));
}

} // namespace moesim
