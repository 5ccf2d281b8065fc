#include "tests/property/case_count.hpp"
#include "tests/property/random_case.hpp"

#include "sim/replay/contention.hpp"
#include "sim/replay/replay.hpp"
#include "sim/schedule/build_step_graph.hpp"
#include "sim/search/child_process.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

/// The share of a step's operations that its graph keeps where others are joined into runs.
double share_left(const Scenario& scenario, const Topology& topology, Fidelity fidelity) {
  const Workload& workload = scenario.workload;
  const Costs& costs = costs_of(scenario);
  const ExpertLoads loads(workload);
  const ReplayLayout layout = step_layout(workload, topology, fidelity, loads, true);
  TrafficPlanner planner(layout, workload.plan, topology, costs.network, &costs.compute);
  StepTraffic traffic(planner);
  const StepGraph graph =
      build_step_graph(workload, layout.layout, loads,
                       [&](const StepGraph& placed, const std::vector<Communication>& all) {
                         return find_contention(placed, all, topology, traffic);
                       });
  return static_cast<double>(graph.ops.size()) / static_cast<double>(graph.operation_count());
}

/// The replay of a graph without runs under a layout, in a child; nothing if the layout has too few
/// classes of ranks.
std::optional<StepReplay> one_by_one_in(const ReplayLayout& layout, const Scenario& scenario,
                                        const Topology& topology) {
  const std::string text = run_in_child([&]() -> std::string {
    const Workload& workload = scenario.workload;
    const Costs& costs = costs_of(scenario);
    TrafficPlanner planner(layout, workload.plan, topology, costs.network, &costs.compute);
    StepTraffic traffic(planner);
    const StepGraph graph = build_step_graph(workload, layout.layout, ExpertLoads(workload));
    const Replay replay(graph, traffic, {workload.plan, topology, &costs.compute, costs.network});
    const Timeline timeline = replay.play(Sharing::allowed).timeline;
    if (layout.rings_together && !stood_for_all(timeline))
      return "";
    return to_text({measure_step(graph, timeline, topology, *replay.compute_times()),
                    graph.operation_count(), timeline.activities, layout.approximate,
                    timeline.extrapolated, timeline.stand_ins});
  });
  return text.empty() ? std::nullopt : std::optional(replay_from_text(text));
}

StepReplay one_by_one(const Scenario& scenario, const Topology& topology, Fidelity fidelity) {
  const auto layout = [&](bool try_few) {
    return step_layout(scenario.workload, topology, fidelity, ExpertLoads(scenario.workload),
                       try_few);
  };
  const std::optional<StepReplay> few = one_by_one_in(layout(true), scenario, topology);
  return few ? *few : one_by_one_in(layout(false), scenario, topology).value();
}

/// Times of a step, as shares of it.
std::vector<double> shares_of(const StepMetrics& metrics) {
  const Waterfall& w = metrics.waterfall;
  std::vector<double> shares;
  for (const Seconds time : {w.optimizer, w.compute, w.ep_exposed, w.tp_exposed, w.dp_exposed,
                             w.pp_bubble, w.other, metrics.ep_total, metrics.dispatch,
                             metrics.combine, metrics.extrapolated, metrics.error_bar})
    shares.push_back(time / metrics.step_time);
  for (const Seconds part : metrics.parts)
    shares.push_back(part / metrics.step_time);
  shares.push_back(metrics.bottleneck_use);
  return shares;
}

/// Checks that runs are exact over cases, and that in at least `joined_min` of them they leave few
/// operations.
void check_exact(const std::vector<RandomCase>& all, Fidelity fidelity, std::size_t joined_min) {
  std::size_t joined = 0;
  for (const RandomCase& drawn : all) {
    INFO(drawn.text());
    const Scenario scenario = scenario_of(drawn);
    const Workload& workload = scenario.workload;
    const Topology topology(scenario.topology, workload.plan.gpus);
    joined += share_left(scenario, topology, fidelity) < 0.7 ? 1 : 0;
    const Costs& costs = costs_of(scenario);
    const StepReplay runs = replay_step(workload, topology, fidelity, costs);
    const StepReplay single = one_by_one(scenario, topology, fidelity);
    CHECK(runs.operations == single.operations);
    CHECK(runs.extrapolated == single.extrapolated);
    CHECK(runs.metrics.stand_ins == single.metrics.stand_ins);
    CHECK(std::abs(runs.metrics.step_time / single.metrics.step_time - 1.0) < 1e-9);
    const std::vector<double> expected = shares_of(single.metrics);
    const std::vector<double> shares = shares_of(runs.metrics);
    for (std::size_t share = 0; share < expected.size(); ++share)
      CHECK(std::abs(shares[share] - expected[share]) < 1e-9);
  }
  CHECK(joined >= of_that_kind(joined_min));
}

} // namespace

TEST_CASE("a step with runs takes the time of its operations one by one") {
  check_exact(random_cases(23'000, 160, {{8, 16, 32, 64}, 3000}), Fidelity::folded, 20);
}

TEST_CASE("a step of all ranks with runs takes the time of its operations one by one") {
  check_exact(random_cases(24'000, 160, {{8, 12, 16, 24, 32}, 1500}), Fidelity::flows, 10);
}
