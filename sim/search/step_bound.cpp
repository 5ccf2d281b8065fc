#include "sim/search/step_bound.hpp"

#include "sim/base/check.hpp"
#include "sim/search/pass_bounds.hpp"

#include <algorithm>
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
  if (!micro_batch_)
    micro_batch_ = bounds_->micro_batch_computes();
  const auto micro_batches = static_cast<double>(plan.micro_batches(bounds_->workload().training));
  return micro_batches / static_cast<double>(plan.pipeline) * *micro_batch_;
}

Seconds step_time_bound(const Workload& workload, const Topology& topology, const Costs& costs) {
  LoneCommunications communications(workload, topology, costs);
  PassBounds bounds(workload, costs.compute, &communications);
  return bound_of(bounds);
}

} // namespace moesim
