#include "sim/replay/traffic_planner.hpp"
#include "sim/schedule/build_step_graph.hpp"
#include "tests/property/case_count.hpp"
#include "tests/property/random_case.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// The times of a collective by stage, each with its links to itself.
std::vector<Seconds> times_by_stage(const CollectiveWork& work, const ParallelPlan& plan,
                                    TrafficPlanner& planner) {
  std::vector<Seconds> times;
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    const auto device = DeviceId(static_cast<std::uint32_t>(stage));
    times.push_back(
        time_alone(planner.collective(work, {work.group, {device}}), planner.folding()));
  }
  return times;
}

} // namespace

TEST_CASE("collectives take as long in each of the stages that sit alike") {
  std::size_t alike = 0;
  for (const RandomCase& drawn : random_cases(91'000, 60, {{16, 32, 64, 128}, 6000})) {
    INFO(drawn.text());
    const Scenario scenario = scenario_of(drawn);
    const Workload& workload = scenario.workload;
    const Topology topology(scenario.topology, workload.plan.gpus);
    if (workload.plan.pipeline == 1 || !stages_sit_alike(workload.plan, topology))
      continue;
    ++alike;
    const Costs& costs = costs_of(scenario);
    const ReplayLayout layout{one_rank_per_stage(workload.plan), LoadModel::representative};
    TrafficPlanner planner(layout, workload.plan, topology, costs.network, &costs.compute);
    const StepGraph graph = build_step_graph(workload, layout.layout);
    for (const CollectiveWork& work : graph.works.collectives)
      for (const Seconds time : times_by_stage(work, workload.plan, planner)) {
        INFO(collective_name(work.kind));
        CHECK(time == times_by_stage(work, workload.plan, planner).front());
      }
  }
  CHECK(alike >= of_that_kind(20));
}
