#pragma once

#include "sim/cost/network_cost.hpp"
#include "sim/replay/compute_times.hpp"
#include "sim/replay/player.hpp"
#include "sim/replay/timeline.hpp"
#include "sim/replay/traffic_planner.hpp"

#include <optional>

namespace moesim {

/// What the replay needs beside the graph of work: where, and how fast.
struct ReplayContext {
  const ParallelPlan& plan;
  const Topology& topology;
  const ComputeCost* compute; ///< none for a graph that computes nothing
  const NetworkCost& network;
};

/// A step graph on a cluster, ready to be played: its traffic is planned, its computes are timed.
class Replay {
public:
  /// `traffic` gets the graph's. Arguments, and what the context names, must live as long.
  Replay(const StepGraph& graph, StepTraffic& traffic, const ReplayContext& context);

  /// Plays the graph: computes take their cost; a collective takes its start-up, then its flows
  /// share the links by max-min fairness. Afterwards every operation has run exactly once and none
  /// before what it waits for, or InternalError is thrown.
  ///
  /// Flows of two operations that meet on a link need a machine, and a process has one: a caller
  /// that plays again refuses sharing. Nothing comes back if sharing was refused and flows met.
  std::optional<Timeline> play(Sharing sharing) const;
  /// The times of the graph's computes; nothing for a graph that computes nothing.
  const std::optional<ComputeTimes>& compute_times() const { return compute_times_; }

private:
  const StepGraph& graph_;
  const Topology& topology_;
  const StepTraffic& traffic_;
  std::optional<ComputeTimes> compute_times_;
  std::vector<double> durations_;   ///< seconds by OpId; 0 for operations that do not compute
  std::vector<RunTimes> run_times_; ///< by index of StepGraph::runs
  std::vector<MachineLink> links_;
};

/// Plays a graph that is played once in this process.
Timeline replay(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context);

} // namespace moesim
