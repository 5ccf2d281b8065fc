#pragma once

#include "sim/cost/network_cost.hpp"
#include "sim/replay/compute_times.hpp"
#include "sim/replay/player.hpp"
#include "sim/replay/timeline.hpp"
#include "sim/replay/traffic_planner.hpp"

#include <limits>
#include <optional>

namespace moesim {

/// Inputs of the replay beside the graph of work: the plan, the topology and the costs.
struct ReplayContext {
  const ParallelPlan& plan;
  const Topology& topology;
  const ComputeCost* compute; ///< null for a graph without computes
  const NetworkCost& network;
};

/// For steps that may take any time.
constexpr Seconds no_limit{std::numeric_limits<double>::infinity()};

/// A step graph on a cluster, ready to play: its traffic is planned, its computes are timed.
class Replay {
public:
  /// `traffic` gets the graph's. Arguments, and what the context names, must live as long.
  Replay(const StepGraph& graph, StepTraffic& traffic, const ReplayContext& context);

  /// Plays the graph. Computes take their cost; a collective takes its start-up, then its flows
  /// share the links by max-min fairness. Throws InternalError unless every operation has run
  /// exactly once, and none before its predecessors.
  ///
  /// Flows of two operations that meet on a link need the machine, of which a process has one. A
  /// caller that plays several graphs must refuse sharing. The timeline is unfinished if sharing
  /// was refused and flows met, or if the step takes longer than `limit`.
  struct Played {
    PlayEnd end = PlayEnd::all_ran;
    Timeline timeline;
  };
  Played play(Sharing sharing, Seconds limit = no_limit) const;
  /// The times of the graph's computes; nothing for a graph without computes.
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

/// Plays a graph, once in a process.
Timeline replay(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context);

} // namespace moesim
