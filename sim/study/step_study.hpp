#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/metrics/step_metrics.hpp"
#include "sim/replay/folding.hpp"
#include "sim/replay/timeline.hpp"
#include "sim/scenario/scenario.hpp"

#include <filesystem>
#include <functional>
#include <optional>

namespace moesim {

/// The measured costs that every prediction rests on.
struct Costs {
  ComputeCost compute;
  NetworkCost network;
};
/// Reads the tables for the GPU kind of `topology` from the folder `calibration`.
Costs load_costs(const std::filesystem::path& calibration, const TopologySpec& topology);

/// The devices of a replay of a plan.
ReplayLayout replay_layout(const ParallelPlan& plan, const Topology& topology, Fidelity fidelity);
/// A step as it was played.
struct PlayedStep {
  StepGraph graph;
  Timeline timeline;
  bool approximate = false; ///< ranks of a stage differ by place or load, and one stands for all
};

/// `loads` are those of the workload. Builds the graph and replays it in this process, which must
/// not simulate again: SimGrid simulates once a process.
PlayedStep play_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                     const Costs& costs, const ExpertLoads& loads);

/// What one replay of one step tells.
struct StepReplay {
  StepMetrics metrics;
  std::uint64_t operations = 0;
  std::uint64_t activities = 0;
  bool approximate = false;              ///< as in PlayedStep
  std::vector<std::string> extrapolated; ///< network costs beyond what was measured
};

/// Called with what a replay saw, before it is forgotten; for traces and dumps.
using TimelineObserver = std::function<void(const StepGraph&, const Timeline&)>;

/// Plays a step in a process of its own and measures it. `observe` runs in that process. Throws
/// InternalError with the child's message.
StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs, const ExpertLoads& loads,
                       const TimelineObserver& observe = {});
StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs);

/// A time that a step under 1F1B without overlap of micro-batches cannot beat: the busiest stage's
/// work one after the other, behind the stages that must fill the pipeline before it;
/// communications alone on their links. On clusters where a stage straddles leaves the bound may be
/// too high by `bound_slack`, as rings are bounded by the busiest uplink of their stage.
constexpr double bound_slack = 1e-3;
Seconds step_time_bound(const Workload& workload, const Topology& topology, const Costs& costs);

/// The best legal plan of a dense model on the GPUs of `workload`, found by increasing bound:
/// tensor degrees up to a node, pipeline degrees up to the layers, with and without full recompute
/// where memory asks for it.
struct BestPlan {
  ParallelPlan plan;
  StepReplay replay;
};
/// Nothing if no plan fits into memory.
std::optional<BestPlan> best_dense_plan(const Workload& workload, const Topology& topology,
                                        Fidelity fidelity, const Costs& costs);

/// "tensor 8, pipeline 4, data 4, recompute none".
std::string plan_text(const ParallelPlan& plan);

} // namespace moesim
