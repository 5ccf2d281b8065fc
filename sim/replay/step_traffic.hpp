#pragma once

#include "sim/replay/lone_phase.hpp"
#include "sim/replay/timeline.hpp"
#include "sim/replay/traffic_planner.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
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
class StepTraffic {
public:
  StepTraffic(const StepGraph& graph, TrafficPlanner& planner);

  /// The phases, in order, of a collective or transfer.
  std::span<const StepPhase> phases(OpId op) const;
  /// All distinct flows. A phase has those from `first_flow` on.
  const std::vector<StepFlow>& flows() const { return flows_; }
  /// Number of runs of flows in the step.
  std::size_t runs() const;
  /// Bytes that each link of the replay carries in the step, from all ranks that share it.
  std::vector<double> link_bytes(std::size_t links) const;
  /// The routes of all flows, and the capacities of `links`, rewritten by `reduce_routes`.
  std::vector<MachineRoute> reduced_routes(std::vector<MachineLink>& links) const;
  /// The algorithm and the error of each collective of the graph, by its number.
  const std::vector<Collective>& algorithms() const { return algorithms_; }
  const std::vector<double>& errors() const { return errors_; }

private:
  struct Plan {
    std::uint32_t first_phase = 0;
    std::uint32_t phase_count = 0;
    std::uint64_t runs = 0; ///< number of runs in the step
  };
  std::uint32_t add(const StepGraph& graph, const Op& op, TrafficPlanner& planner);
  std::uint32_t add(const TrafficPlan& plan, const LinkFolding& folding);
  void count_runs();

  std::vector<StepFlow> flows_;
  std::vector<StepPhase> phases_;
  std::vector<Plan> plans_;
  std::vector<std::uint32_t> plan_of_op_; ///< by OpId; unused for computes
  std::vector<Collective> algorithms_;
  std::vector<double> errors_;
};

} // namespace moesim
