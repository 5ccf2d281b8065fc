#include "sim/search/step_bound.hpp"

#include "sim/base/check.hpp"
#include "sim/search/pass_bounds.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <vector>

namespace moesim {

namespace {

/// The last pass of a stage that makes gradients of weights of its first chunk.
const PassSpan& last_weights(const std::vector<PassSpan>& spans) {
  const auto last = std::find_if(spans.rbegin(), spans.rend(), [](const PassSpan& span) {
    return span.pass.chunk == 0 &&
           (span.pass.pass == Pass::backward || span.pass.pass == Pass::backward_weight);
  });
  INVARIANT(last != spans.rend(), "{} passes make no gradients of weights", spans.size());
  return *last;
}

Seconds bound_of(PassBounds& bounds) {
  const Workload& workload = bounds.workload();
  const auto stages = pipeline_times(workload.plan, workload.plan.micro_batches(workload.training),
                                     bounds.pipeline());
  INVARIANT(stages, "the passes of {} wait for each other for ever", workload.plan.schedule.name);
  Seconds bound;
  for (std::size_t stage = 0; stage < stages->size(); ++stage) {
    const std::vector<PassSpan>& spans = (*stages)[stage];
    const auto number = static_cast<std::int64_t>(stage);
    const PassSpan& last = last_weights(spans);
    const Seconds reduced = Seconds{last.start} + bounds.last_pass(number, last.pass.pass);
    const Seconds passed = std::max(Seconds{spans.back().finish}, reduced);
    bound = std::max({bound, passed + bounds.end(number), bounds.busiest_resource(number, spans)});
  }
  return bound;
}

} // namespace

ComputeBounds::ComputeBounds(const Workload& workload, const Costs& costs)
    : bounds_(std::make_unique<PassBounds>(workload, costs.compute, nullptr)) {}

ComputeBounds::~ComputeBounds() = default;

Seconds ComputeBounds::of(const ParallelPlan& plan) {
  bounds_->set_plan(plan);
  return bound_of(*bounds_);
}

Seconds ComputeBounds::mean_stage(const ParallelPlan& plan) {
  bounds_->set_plan(plan);
  return bounds_->mean_stage();
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
  return {plan.tensor,
          plan.context,
          plan.expert,
          plan.expert_tensor,
          workload.training.micro_batch,
          plan.recompute,
          plan.recompute_modules,
          workload.communication.overlap_shared_expert};
}

struct PlanBounds::Shared {
  std::map<GroupDegrees, std::unique_ptr<LoneCommunications>> communications;
  std::map<BlockKey, std::unique_ptr<PassBounds>> passes;
};

PlanBounds::PlanBounds(const Topology& topology, const Costs& costs)
    : topology_(topology), costs_(costs), shared_(std::make_unique<Shared>()) {}

PlanBounds::~PlanBounds() = default;

PassBounds& PlanBounds::passes_of(const Workload& workload) {
  std::unique_ptr<LoneCommunications>& communications =
      shared_->communications[group_degrees(workload.plan)];
  if (!communications)
    communications = std::make_unique<LoneCommunications>(workload.plan, topology_, costs_);
  std::unique_ptr<PassBounds>& passes = shared_->passes[block_key(workload)];
  if (!passes)
    passes = std::make_unique<PassBounds>(workload, costs_.compute, communications.get());
  passes->set_plan(workload.plan);
  return *passes;
}

Seconds PlanBounds::of(const Workload& workload) {
  return bound_of(passes_of(workload));
}

Seconds PlanBounds::mean_stage(const Workload& workload) {
  return passes_of(workload).mean_stage();
}

Seconds step_time_bound(const Workload& workload, const Topology& topology, const Costs& costs) {
  return PlanBounds(topology, costs).of(workload);
}

} // namespace moesim
