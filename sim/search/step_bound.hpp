#pragma once

#include "sim/cost/costs.hpp"
#include "sim/platform/topology.hpp"
#include "sim/schedule/pipeline_orders.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>
#include <memory>
#include <tuple>

namespace moesim {

/// A bound may be too high by this share of it on clusters where a stage straddles leaves, as rings
/// are bounded by the busiest uplink of their stage.
constexpr double bound_slack = 1e-3;

/// The members of a workload that the computes of its blocks depend on: tensor, context, expert and
/// expert-tensor degree, micro-batch, recompute, one bit for each of its modules, whether shared
/// experts overlap.
using ComputeKey = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                              Recompute, std::uint32_t, bool>;
ComputeKey compute_key(const Workload& workload);

/// Times that steps cannot beat, under any schedule: the passes of all stages in the order of the
/// schedule, each as long as its computes and exposed communications one after the other, with
/// every communication alone on its links; then the end of the step. Passes side by side hide their
/// communications in each other. Plans whose ranks form the same groups share the times of their
/// communications, and plans of one shape and pipeline degree those of their blocks.
class PlanBounds {
public:
  /// All must live as long.
  PlanBounds(const Topology& topology, const Costs& costs, PipelineOrderTable& orders);
  ~PlanBounds();
  Seconds of(const Workload& workload);
  /// A bound that takes less time to find: PassBounds::busiest_stage.
  Seconds busiest_stage(const Workload& workload);

private:
  class PassBounds& passes_of(const Workload& workload);
  struct Shared;
  const Topology& topology_;
  const Costs& costs_;
  PipelineOrderTable& orders_;
  std::unique_ptr<Shared> shared_;
};
/// The bound of one plan.
Seconds step_time_bound(const Workload& workload, const Topology& topology, const Costs& costs);

/// Bounds without communication: they hold on every cluster of this GPU kind, for every dispatcher
/// and ZeRO stage, and take less time to find. Plans of one shape share the times of their blocks.
class ComputeBounds {
public:
  /// `costs` and `orders` must live as long.
  ComputeBounds(const Workload& workload, const Costs& costs, PipelineOrderTable& orders);
  ~ComputeBounds();
  /// The bound of a plan that differs from the workload's only in its pipeline: degree, virtual
  /// stages, schedule, layers of each stage, overlap of batches, and in its ZeRO stage.
  Seconds of(const ParallelPlan& plan);
  /// A bound that takes less time to find: PassBounds::busiest_stage.
  Seconds busiest_stage(const ParallelPlan& plan);

private:
  PipelineOrderTable& orders_;
  std::unique_ptr<class PassBounds> bounds_;
};

} // namespace moesim
