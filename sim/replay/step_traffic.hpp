#pragma once

#include "sim/replay/lone_phase.hpp"
#include "sim/replay/timeline.hpp"
#include "sim/replay/traffic_planner.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace moesim {

/// A flow of a distinct communication of a step.
struct StepFlow {
  PlannedFlow planned;
  LoneFlow lone;
  double runs = 0.0; ///< number of runs in the step
};

/// Flows that run together after a start-up.
struct StepPhase {
  Seconds startup;
  Seconds lone; ///< time of the flows alone on their links
  std::uint32_t first_flow = 0;
  std::uint32_t flow_count = 0;
};

/// The traffic of a step: the phases of each distinct communication of its graph, planned once.
///
/// More than 15 methods: one for each table that a replay reads, and most are one line.
class StepTraffic {
public:
  /// The planner must live as long.
  explicit StepTraffic(TrafficPlanner& planner) : planner_(planner) {}

  /// Plans a communication, unless that has been done for its work at its place. The graph has
  /// works and places.
  std::span<const StepPhase> plan(const StepGraph& graph, const Op& op);
  /// Plans the communications of the graph, and counts how often each runs.
  void plan_all(const StepGraph& graph);

  TrafficPlanner& planner() const { return planner_; }
  /// The phases of an operation of the graph that is planned, one after the other; of a collective
  /// or a transfer.
  std::span<const StepPhase> phases(OpId op) const { return phases_of(plan_of_op_[index(op)]); }
  /// All distinct flows. A phase has those from `first_flow` on.
  const std::vector<StepFlow>& flows() const { return flows_; }
  /// Flows that are played in the step: those of runs are not.
  std::size_t played_flows() const { return played_flows_; }
  /// The bytes that each link of the replay carries in the step, all ranks that share it counted.
  std::vector<double> link_bytes(std::size_t links) const;
  /// The routes of all flows, and the capacities of `links`, rewritten by `reduce_routes`.
  std::vector<MachineRoute> reduced_routes(std::vector<MachineLink>& links) const;
  /// The algorithm and the error of each collective of the graph, by its number.
  const std::vector<Collective>& algorithms() const { return algorithms_; }
  const std::vector<double>& errors() const { return errors_; }
  /// `limit_of` each collective of the graph, by its number; empty if it is not planned.
  const std::vector<std::string>& limits() const { return limits_; }

private:
  struct Plan {
    std::uint32_t first_phase = 0;
    std::uint32_t phase_count = 0;
    std::uint64_t runs = 0; ///< number of runs in the step
  };
  std::uint32_t find(const StepGraph& graph, const Op& op);
  std::uint32_t add(const StepGraph& graph, const Op& op);
  std::uint32_t add(const TrafficPlan& plan);
  std::span<const StepPhase> phases_of(std::uint32_t plan) const;
  void count_runs();

  TrafficPlanner& planner_;
  std::unordered_map<std::uint64_t, std::uint32_t> known_; ///< plans by kind, work and place
  std::vector<StepFlow> flows_;
  std::vector<StepPhase> phases_;
  std::vector<Plan> plans_;
  std::size_t played_flows_ = 0;
  std::vector<std::uint32_t> plan_of_op_; ///< by OpId; not read of computes and runs
  std::vector<Collective> algorithms_;
  std::vector<double> errors_;
  std::vector<std::string> limits_;
};

} // namespace moesim
