#include "tests/property/random_case.hpp"

#include "sim/base/check.hpp"
#include "sim/report/trace_report.hpp"
#include "sim/search/step_replay.hpp"
#include "tests/support/trace_faults.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>

using namespace moesim;

namespace {

/// Throws InternalError at what is wrong with the trace of a replay.
void expect_whole_trace(const StepGraph& graph, const Timeline& timeline) {
  std::ostringstream text;
  write_trace(graph, timeline, text);
  const nlohmann::json trace = nlohmann::json::parse(text.str());
  const std::string fault = trace_fault(trace, graph, timeline);
  INVARIANT(fault.empty(), "{}", fault);
  // In a whole step something waits for each transfer.
  const auto transfers = std::count_if(graph.ops.begin(), graph.ops.end(),
                                       [](const Op& op) { return op.kind == OpKind::transfer; });
  const auto arrows = static_cast<std::ptrdiff_t>(events_of(trace, "f").size());
  INVARIANT(arrows == transfers, "{} arrows of {} transfers", arrows, transfers);
}

void check_traces(std::uint64_t seed, Fidelity fidelity) {
  for (const RandomCase& drawn : random_cases(seed, 15, {{8, 16, 24, 32}, 1000})) {
    INFO(drawn.text());
    const Scenario scenario = scenario_of(drawn);
    const Topology topology(scenario.topology, scenario.workload.plan.gpus);
    const Costs& costs = costs_of(scenario);
    const StepReplay shown = replay_step(scenario.workload, topology, fidelity, costs);
    const auto expect_same = [&](const StepGraph& graph, const Timeline& timeline) {
      INVARIANT(timeline.end == shown.metrics.step_time, "{} s, and {} in the result",
                timeline.end.value, shown.metrics.step_time.value);
      INVARIANT(graph.ops.size() == shown.operations, "{} operations of {}", graph.ops.size(),
                shown.operations);
      expect_whole_trace(graph, timeline);
    };
    CHECK_NOTHROW(replay_step(scenario.workload, topology, fidelity, costs,
                              ExpertLoads(scenario.workload), expect_same));
  }
}

} // namespace

TEST_CASE("a trace shows each operation of the result, rows apart, an arrow for each transfer") {
  check_traces(50'000, Fidelity::folded);
  check_traces(51'000, Fidelity::flows);
}
