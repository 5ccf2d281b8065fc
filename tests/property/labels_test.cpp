#include "tests/property/random_case.hpp"

#include "sim/replay/replay.hpp"
#include "sim/replay/step_layout.hpp"
#include "sim/schedule/build_step_graph.hpp"
#include "sim/search/child_process.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// The step time and the waterfall of a graph, in a process of its own.
std::string figures(const StepGraph& graph, const ReplayLayout& layout, const Scenario& scenario,
                    const Topology& topology) {
  return run_in_child([&] {
    const Costs& costs = costs_of(scenario);
    const Timeline timeline =
        replay(graph, layout, {scenario.workload.plan, topology, &costs.compute, costs.network});
    const StepMetrics metrics =
        measure_step(graph, timeline, topology, ComputeTimes(graph.works, costs.compute));
    const Waterfall& w = metrics.waterfall;
    return fmt::format("{:.17g} {:.17g} {:.17g} {:.17g} {:.17g} {:.17g} {:.17g} {:.17g}",
                       metrics.step_time.value, w.compute.value, w.ep_exposed.value,
                       w.tp_exposed.value, w.dp_exposed.value, w.pp_bubble.value, w.other.value,
                       metrics.error_bar.value);
  });
}

} // namespace

// Labels are made after the works of a step, and nothing else knows them: with all of them equal
// every figure stays as it was, to the last bit.
TEST_CASE("labels are for people: no figure depends on them") {
  for (RandomCase& drawn : random_cases(50'000, 25, {{8, 16, 32}, 3000})) {
    INFO(drawn.text());
    ScenarioInput input = input_of(drawn);
    input.graphs = CudaGraphs{}; // hosts wait for dispatches
    const Scenario scenario = resolve_scenario(input);
    const ExpertLoads loads(scenario.workload);
    const Topology topology(scenario.topology, scenario.workload.plan.gpus);
    const ReplayLayout layout =
        step_layout(scenario.workload, topology, Fidelity::folded, loads, false);
    const StepGraph graph = build_step_graph(scenario.workload, layout.layout, loads);
    StepGraph renamed = graph;
    for (Label& label : renamed.works.labels)
      label = Label::of("Renamed");
    CHECK(figures(renamed, layout, scenario, topology) ==
          figures(graph, layout, scenario, topology));
  }
}
