#pragma once

#include "sim/cost/costs.hpp"
#include "sim/metrics/step_metrics.hpp"
#include "sim/replay/single_operations.hpp"
#include "sim/replay/step_layout.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// Replays a step in this process, which must not simulate again: SimGrid simulates once a process.
/// It is the replay of replay_step, operation by operation. `loads` are those of the workload.
SingleOperations play_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                           const Costs& costs, const ExpertLoads& loads);

/// The outcome of one replay of one step.
struct StepReplay {
  StepMetrics metrics;
  std::uint64_t operations = 0; ///< of the step, those of runs one by one
  std::uint64_t activities = 0;
  bool approximate = false;              ///< ranks of a stage differ, and one stands for all
  std::vector<std::string> extrapolated; ///< network costs beyond those measured
  std::vector<std::string> stand_ins;    ///< network costs of something else, as TrafficNotes'

  bool operator==(const StepReplay&) const = default;
};

/// Called with the graph and the timeline of a replay, operation by operation, before they are
/// forgotten; for traces and dumps.
using TimelineObserver = std::function<void(const StepGraph&, const Timeline&)>;

/// Plays a step and measures it, in a process of its own where SimGrid is needed. `observe` runs in
/// the process that plays. Throws InternalError with the child's message.
StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs, const ExpertLoads& loads,
                       const TimelineObserver& observe = {});
StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs);

/// The same; nothing if the step takes longer than `limit`, which takes less time to find.
std::optional<StepReplay> replay_step_within(Seconds limit, const Workload& workload,
                                             const Topology& topology, Fidelity fidelity,
                                             const Costs& costs);

/// A waterfall and a replay as text, for the process that asked for it.
std::string to_text(const Waterfall& waterfall);
Waterfall waterfall_from_text(const std::string& text);
std::string to_text(const StepReplay& replay);
StepReplay replay_from_text(const std::string& text);

} // namespace moesim
