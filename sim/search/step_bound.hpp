#pragma once

#include "sim/cost/costs.hpp"
#include "sim/platform/topology.hpp"
#include "sim/workload/workload.hpp"

#include <memory>
#include <optional>

namespace moesim {

/// A time that a step cannot beat, under any schedule: the passes of all stages in the order of the
/// schedule, each as long as its computes and exposed communications one after the other, with
/// every communication alone on its links; then the end of the step. Passes side by side hide their
/// communications in each other. On clusters where a stage straddles leaves the bound may be too
/// high by `bound_slack`, as rings are bounded by the busiest uplink of their stage.
constexpr double bound_slack = 1e-3;
Seconds step_time_bound(const Workload& workload, const Topology& topology, const Costs& costs);

/// Bounds without communication: they hold on every cluster of this GPU kind, for every dispatcher
/// and ZeRO stage, and take less time to find. Plans of one shape share the times of their blocks.
class ComputeBounds {
public:
  /// `costs` must live as long.
  ComputeBounds(const Workload& workload, const Costs& costs);
  ~ComputeBounds();
  /// The bound of a plan that differs from the workload's only in its pipeline: degree, virtual
  /// stages, schedule, layers of each stage, overlap of batches, and in its ZeRO stage.
  Seconds of(const ParallelPlan& plan);
  /// The share of a stage in the computes of the step, for stages of equal work: a lower bound that
  /// takes no time to find.
  Seconds mean_stage(const ParallelPlan& plan);

private:
  std::optional<Seconds> micro_batch_; ///< computes of one micro-batch on all stages together
  std::unique_ptr<class PassBounds> bounds_;
};

} // namespace moesim
