#include "tests/property/random_case.hpp"

#include "sim/scenario/placed_topology.hpp"
#include "sim/schedule/memory_estimate.hpp"
#include "sim/search/plan_search.hpp"
#include "tests/property/random_cluster.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <tuple>
#include <vector>

using namespace moesim;

namespace {

/// A search over a few plans of a small case: some choices are lists, some fixed, the rest open.
PlanProblem small_problem(const RandomCase& drawn, Draw& draw) {
  const Scenario scenario = scenario_of(drawn);
  PlanProblem problem{scenario.workload, {}, scenario.topology, Fidelity::folded};
  problem.base.training.global_batch =
      std::max<std::int64_t>(scenario.workload.plan.gpus, problem.base.training.global_batch);
  PlanChoices& choices = problem.choices;
  choices.tensor = {1, 2};
  choices.pipeline = {1, 2};
  choices.context = {1};
  choices.micro_batch =
      draw.one_in(2) ? std::vector<std::int64_t>{1} : std::vector<std::int64_t>{1, 2};
  choices.recompute = {draw.one_in(2) ? Recompute::none : Recompute::full};
  choices.zero_stage = {1};
  if (draw.one_in(2))
    choices.virtual_stages = {1};
  if (draw.one_in(2))
    choices.dispatcher = {Dispatcher::all_to_all};
  if (draw.one_in(3))
    choices.overlap = {Overlap::none};
  if (draw.one_in(2)) // else the largest that each plan allows
    choices.graphs = draw.one_of<std::vector<CudaGraphs>>(
        {{CudaGraphs{}},
         {{.full_iteration = true}},
         {CudaGraphs{}, {.attention = true, .router = true, .preprocess = true}}});
  if (draw.one_in(2))
    problem.base.training.fused_experts = true; // HybridEP may capture the full iteration
  const std::int64_t experts = problem.base.model.experts.experts;
  choices.expert = {1, std::max<std::int64_t>(1, experts / 4)};
  choices.expert_tensor = {1};
  // With an eighth of the memory some plans do not fit.
  if (draw.one_in(3))
    problem.topology.gpu.memory = Bytes{problem.topology.gpu.memory.value / 8};
  return problem;
}

struct Replayed {
  Seconds time;
  std::string plan;
};

/// Every legal plan that fits, fastest first; of equals in the order of the space.
std::vector<Replayed> brute_force(const PlanProblem& problem, const Costs& costs) {
  const PlanSpace space(problem.base, problem.choices, problem.topology);
  std::vector<Replayed> replayed;
  space.for_each([&](const PlanShape& shape, const PlanPipeline& pipeline) {
    for (const PlanSharding& sharding : space.shardings(shape, pipeline)) {
      const Workload workload = space.workload(shape, pipeline, sharding);
      if (fullest_stage(workload).total() > problem.topology.gpu.memory)
        continue;
      replayed.push_back({replay_step(workload,
                                      Topology(placed_topology(problem.topology, workload.plan),
                                               workload.plan.gpus),
                                      problem.fidelity, costs)
                              .metrics.step_time,
                          plan_settings(workload)});
    }
  });
  std::stable_sort(replayed.begin(), replayed.end(),
                   [](const Replayed& a, const Replayed& b) { return a.time < b.time; });
  return replayed;
}

} // namespace

TEST_CASE("a search finds the plans that replaying every plan finds") {
  std::uint64_t seed = 41'000;
  for (const RandomCase& drawn : random_cases(seed, 120, {{8, 16}, 600})) {
    INFO(drawn.text());
    Draw draw(drawn.seed);
    const PlanProblem problem = small_problem(drawn, draw);
    const Costs& costs = costs_of(scenario_of(drawn));
    const std::vector<Replayed> all = brute_force(problem, costs);
    const PlanSearch search = search_plans(problem, costs, 3);
    CHECK(search.fit == static_cast<std::int64_t>(all.size()));
    CHECK(search.replayed + search.bounded_out == search.fit);
    REQUIRE(search.best.size() == std::min<std::size_t>(3, all.size()));
    for (std::size_t place = 0; place < search.best.size(); ++place) {
      CHECK(search.best[place].replay.metrics.step_time == all[place].time);
      CHECK(plan_settings(search.best[place].workload) == all[place].plan);
    }
  }
}

TEST_CASE("more choices never give a slower plan") {
  for (const RandomCase& drawn : random_cases(42'000, 24, {{8, 16}, 600})) {
    INFO(drawn.text());
    Draw draw(drawn.seed);
    PlanProblem problem = small_problem(drawn, draw);
    const Costs& costs = costs_of(scenario_of(drawn));
    const PlanSearch few = search_plans(problem, costs, 1);
    problem.choices.micro_batch.clear();
    problem.choices.recompute.clear();
    const PlanSearch more = search_plans(problem, costs, 1);
    if (few.best.empty())
      continue;
    REQUIRE(!more.best.empty());
    CHECK(more.best.front().replay.metrics.step_time <= few.best.front().replay.metrics.step_time);
  }
}

TEST_CASE("faster NICs never slow the best plan") {
  for (const RandomCase& drawn : random_cases(43'000, 24, {{8, 16, 32}, 600})) {
    INFO(drawn.text());
    Draw draw(drawn.seed);
    PlanProblem problem = small_problem(drawn, draw);
    const Costs& costs = costs_of(scenario_of(drawn));
    const PlanSearch before = search_plans(problem, costs, 1);
    problem.topology.node.nic = problem.topology.node.nic * 2.0;
    const PlanSearch after = search_plans(problem, costs, 1);
    REQUIRE(after.fit == before.fit);
    if (!before.best.empty())
      CHECK(after.best.front().replay.metrics.step_time <=
            before.best.front().replay.metrics.step_time * (1.0 + 1e-9));
  }
}
