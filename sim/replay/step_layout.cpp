#include "sim/replay/step_layout.hpp"

#include "sim/schedule/data_parallel_work.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

ReplayLayout replay_layout(const ParallelPlan& plan, const Topology& topology, Fidelity fidelity) {
  switch (fidelity) {
  case Fidelity::flows:
    return {every_rank(plan), LoadModel::classes, false};
  case Fidelity::ranks:
    return {every_rank(plan), LoadModel::group_links, false};
  case Fidelity::folded:
    break;
  }
  return fold_ranks(plan, topology);
}

namespace {

/// Whether rings cross the leaves of a stage beside transfers between stages. Such rings load
/// single uplinks, and the transfers load all: one rank then does not represent all ranks, and
/// folding is off by up to 0.5 % in 40 random cases.
bool rings_cross_leaves_beside_transfers(const Workload& workload, const Topology& topology) {
  return data_parallel_rule(workload).overlaps && workload.plan.pipeline > 1 &&
         workload.plan.stage_ranks() > topology.spec().leaf_gpus();
}

} // namespace

bool ranks_carry_alike(const Workload& workload, const ExpertLoads& loads) {
  return loads.ranks_alike() && workload.routing.redundant_experts == 0;
}

ReplayLayout step_layout(const Workload& workload, const Topology& topology, Fidelity fidelity,
                         const ExpertLoads& loads, bool try_few) {
  const ParallelPlan& plan = workload.plan;
  if (fidelity != Fidelity::folded)
    return replay_layout(plan, topology, fidelity);
  if (!ranks_carry_alike(workload, loads))
    return fold_into_classes(plan, topology, false);
  const bool sit_alike = ranks_sit_alike(plan, topology);
  if (sit_alike && !rings_cross_leaves_beside_transfers(workload, topology))
    return fold_stages(plan);
  if (try_few)
    if (auto few = fold_rings_together(plan, topology))
      return *std::move(few);
  ReplayLayout classes = fold_into_classes(plan, topology, true);
  if (!sit_alike || !classes.approximate)
    return classes;
  ReplayLayout stages = fold_stages(plan);
  stages.approximate = true;
  return stages;
}

} // namespace moesim
