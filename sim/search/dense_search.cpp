#include "sim/search/dense_search.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/memory_estimate.hpp"
#include "sim/search/step_bound.hpp"
#include "sim/workload/plan_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace moesim {

namespace {

/// Plans worth trying for a dense model, in no order.
std::vector<Workload> dense_candidates(const Workload& base, const Topology& topology) {
  std::vector<Workload> candidates;
  const auto layers = static_cast<std::int64_t>(base.model.layers.size());
  for (std::int64_t tensor = 1; tensor <= std::min(base.plan.gpus, topology.spec().node.gpus);
       tensor *= 2)
    for (std::int64_t pipeline = 1;
         pipeline <= std::min(layers, base.plan.gpus / (tensor * base.plan.context)); pipeline *= 2)
      for (const Recompute recompute : {Recompute::none, Recompute::full}) {
        PlanInput plan{base.plan};
        plan.written.tensor = tensor;
        plan.written.pipeline = pipeline;
        plan.written.virtual_stages = 1;
        plan.written.schedule = Schedule::one_forward_one_backward;
        plan.written.overlap_batches = false;
        plan.written.expert_tensor = 1;
        plan.written.sequence_parallel = true;
        plan.written.recompute = recompute;
        Workload candidate = base;
        candidate.plan = resolve_plan(plan, base.model, base.plan.gpus);
        if (find_plan_fault(candidate.plan, candidate.model, candidate.training) ||
            fullest_stage(candidate).total() > topology.spec().gpu.memory)
          continue;
        candidates.push_back(std::move(candidate));
        break; // where it fits without recompute, recompute only costs
      }
  return candidates;
}

} // namespace

std::optional<BestPlan> best_dense_plan(const Workload& workload, const Topology& topology,
                                        Fidelity fidelity, const Costs& costs) {
  // Ordered by bound. A plan enters with a bound that is quick to find, comes back with the real
  // one, and is replayed when no other can be faster: few are.
  using Entry = std::pair<Seconds, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  const std::vector<Workload> candidates = dense_candidates(workload, topology);
  std::vector<bool> bounded(candidates.size(), false);
  for (std::size_t number = 0; number < candidates.size(); ++number)
    open.emplace(compute_bound(candidates[number], costs), number);
  std::optional<BestPlan> best;
  while (!open.empty()) {
    const auto [bound, number] = open.top();
    open.pop();
    if (best && bound >= best->replay.metrics.step_time)
      break;
    const Workload& candidate = candidates[number];
    if (!bounded[number]) {
      bounded[number] = true;
      open.emplace(step_time_bound(candidate, topology, costs), number);
      continue;
    }
    const StepReplay replay = replay_step(candidate, topology, fidelity, costs);
    INVARIANT(replay.metrics.step_time.value >= bound.value * (1.0 - bound_slack),
              "step {} bound {} for {}", replay.metrics.step_time.value, bound.value,
              plan_text(candidate.plan));
    if (!best || replay.metrics.step_time < best->replay.metrics.step_time)
      best = {candidate.plan, replay};
  }
  return best;
}

std::string plan_text(const ParallelPlan& plan) {
  return fmt::format("tensor {}, pipeline {}, data {}, recompute {}", plan.tensor, plan.pipeline,
                     plan.data(),
                     plan.recompute == Recompute::full        ? "full"
                     : plan.recompute == Recompute::selective ? "selective"
                                                              : "none");
}

} // namespace moesim
