#include "sim/search/step_bound.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/step_layout.hpp"
#include "sim/search/pass_bounds.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <vector>

namespace moesim {

namespace {

Seconds bound_of(PassBounds& bounds, PipelineOrderTable& orders) {
  const Workload& workload = bounds.workload();
  const std::int64_t micro_batches = workload.plan.micro_batches(workload.training);
  const auto stages =
      pipeline_times(workload.plan, orders.of(workload.plan, micro_batches), bounds.pipeline());
  INVARIANT(stages, "the passes of {} wait for each other for ever", workload.plan.schedule.name);
  Seconds bound;
  for (std::size_t stage = 0; stage < stages->size(); ++stage) {
    const auto number = static_cast<std::int64_t>(stage);
    bound = std::max(bound, bounds.passes_end(number, (*stages)[stage]) + bounds.end(number));
  }
  return bound;
}

} // namespace

ComputeBounds::ComputeBounds(const Workload& workload, const Costs& costs,
                             PipelineOrderTable& orders)
    : orders_(orders), bounds_(std::make_unique<PassBounds>(workload, costs.compute, nullptr)) {}

ComputeBounds::~ComputeBounds() = default;

Seconds ComputeBounds::of(const ParallelPlan& plan) {
  bounds_->set_plan(plan);
  return bound_of(*bounds_, orders_);
}

Seconds ComputeBounds::busiest_stage(const ParallelPlan& plan) {
  bounds_->set_plan(plan);
  return bounds_->busiest_stage();
}

namespace {

/// The degrees that make the groups of ranks.
using GroupDegrees = std::array<std::int64_t, 6>;
GroupDegrees group_degrees(const ParallelPlan& plan) {
  return {plan.gpus, plan.tensor, plan.context, plan.pipeline, plan.expert, plan.expert_tensor};
}

/// The members of a workload that the blocks of its stages depend on.
using BlockKey = std::tuple<ComputeKey, GroupDegrees, Dispatcher, Library>;
BlockKey block_key(const Workload& workload) {
  return {compute_key(workload), group_degrees(workload.plan), workload.communication.dispatcher,
          workload.communication.library};
}

} // namespace

ComputeKey compute_key(const Workload& workload) {
  const ParallelPlan& plan = workload.plan;
  std::uint32_t modules = 0;
  for (const RecomputeModule module : plan.recompute_modules)
    modules |= 1U << index(module);
  return {plan.tensor,
          plan.context,
          plan.expert,
          plan.expert_tensor,
          workload.training.micro_batch,
          plan.recompute,
          modules,
          workload.communication.overlap_shared_expert};
}

struct PlanBounds::Shared {
  std::map<GroupDegrees, std::unique_ptr<LoneCommunications>> communications;
  std::map<BlockKey, std::unique_ptr<PassBounds>> passes;
};

PlanBounds::PlanBounds(const Topology& topology, const Costs& costs, PipelineOrderTable& orders)
    : topology_(topology), costs_(costs), orders_(orders), shared_(std::make_unique<Shared>()) {}

PlanBounds::~PlanBounds() = default;

PassBounds& PlanBounds::passes_of(const Workload& workload) {
  std::unique_ptr<LoneCommunications>& communications =
      shared_->communications[group_degrees(workload.plan)];
  if (!communications)
    communications = std::make_unique<LoneCommunications>(
        workload.plan, topology_, costs_, ranks_carry_alike(workload, ExpertLoads(workload)));
  std::unique_ptr<PassBounds>& passes = shared_->passes[block_key(workload)];
  if (!passes)
    passes = std::make_unique<PassBounds>(workload, costs_.compute, communications.get());
  passes->set_plan(workload.plan);
  return *passes;
}

Seconds PlanBounds::of(const Workload& workload) {
  return bound_of(passes_of(workload), orders_);
}

Seconds PlanBounds::busiest_stage(const Workload& workload) {
  return passes_of(workload).busiest_stage();
}

Seconds step_time_bound(const Workload& workload, const Topology& topology, const Costs& costs) {
  PipelineOrderTable orders;
  return PlanBounds(topology, costs, orders).of(workload);
}

} // namespace moesim
