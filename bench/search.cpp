// Times searches for the best plan: CPU seconds, children included, and the ratio to one replay of
// the plan that is found.
// Usage: bench_search SCENARIO.toml [KEY=VALUE]...
#include "sim/scenario/placed_topology.hpp"
#include "sim/search/plan_search.hpp"
#include "sim/study/cost_library.hpp"

#include <fmt/format.h>

#include <sys/resource.h>

#include <functional>
#include <iostream>
#include <string>
#include <vector>

using namespace moesim;

namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

/// CPU time of this process and of the children that have ended.
double cpu_seconds() {
  double sum = 0.0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    sum += seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  return sum;
}

double cpu_seconds_of(const std::function<void()>& work) {
  const double begin = cpu_seconds();
  work();
  return cpu_seconds() - begin;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: bench_search SCENARIO.toml [KEY=VALUE]...\n";
    return 2;
  }
  const Scenario scenario = read_scenario(argv[1], {argv + 2, argv + argc});
  CostLibrary library(std::string(MOESIM_SOURCE_DIR) + "/calibration");
  const Costs& costs = library.of(scenario.topology, scenario.workload.training);
  const PlanProblem problem{scenario.workload, scenario.search.value(), scenario.topology,
                            scenario.fidelity};
  PlanSearch search;
  const double searched = cpu_seconds_of([&] { search = search_plans(problem, costs, 10); });
  if (search.best.empty()) {
    fmt::print("{}: no plan fits\n", argv[1]);
    return 0;
  }
  const Workload& best = search.best.front().workload;
  const Topology topology(placed_topology(scenario.topology, best.plan), best.plan.gpus);
  const double replayed =
      cpu_seconds_of([&] { replay_step(best, topology, scenario.fidelity, costs); });
  fmt::print("{}, {} GPUs: {:.2f} s, {:.0f} x one replay; {} plans legal, {} fit, {} replayed\n",
             scenario.workload.model.name, best.plan.gpus, searched, searched / replayed,
             search.legal, search.fit, search.replayed);
}
