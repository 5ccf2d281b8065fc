// Searches for the best plan: time of each part, and plans by how far they came.
#include "sim/search/plan_search.hpp"
#include "sim/study/cost_library.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <ctime>

using namespace moesim;

int main(int argc, char** argv) {
  const std::vector<std::string> settings(argv + 2, argv + argc);
  Scenario scenario = read_scenario(argv[1], settings);
  CostLibrary library("calibration");
  const Costs& costs = library.of(scenario.topology, scenario.workload.training);
  const PlanProblem problem{scenario.workload, *scenario.search, scenario.topology,
                            scenario.fidelity};
  const std::clock_t start = std::clock();
  const PlanSearch search =
      search_plans(problem, costs, std::getenv("KEEP") ? std::stoul(std::getenv("KEEP")) : 10);
  fmt::print("{:.2f} CPU s: {} legal, {} fit, {} replayed\n",
             static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, search.legal, search.fit,
             search.replayed);
  for (const FoundPlan& plan : search.best)
    fmt::print("{:.4f} s {}\n", plan.replay.metrics.step_time.value, plan_settings(plan.workload));
}
