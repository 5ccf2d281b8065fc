// CPU time of one step: to build, replay and measure it, and to bound it, in this process.
// Usage: bench_step. Prints rows `name,milliseconds`, the least of several rounds.

#include "sim/search/step_bound.hpp"
#include "sim/search/step_replay.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace moesim;

/// User and system time of this process and of children that have ended.
double cpu_ms() {
  double sum = 0.0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime})
      sum += static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  }
  return sum;
}

void print(const std::string& name, const std::function<void()>& work) {
  constexpr int rounds = 5;
  constexpr double round_ms = 200.0;
  double least = 1e300;
  for (int round = 0; round < rounds; ++round) {
    const double begin = cpu_ms();
    int runs = 0;
    double spent = 0.0;
    while (spent < round_ms) {
      work();
      ++runs;
      spent = cpu_ms() - begin;
    }
    least = std::min(least, spent / runs);
  }
  fmt::print("{},{:.4f}\n", name, least);
  std::fflush(stdout); // before a fork doubles it
}

void measure(const std::string& name, const std::string& workload,
             const std::vector<std::string>& settings) {
  const std::filesystem::path source = MOESIM_SOURCE_DIR;
  const Scenario scenario =
      read_scenario((source / "workloads" / workload / "scenario.toml").string(), settings);
  const Costs costs =
      load_costs(source / "calibration", scenario.topology, scenario.workload.training);
  const Workload& step = scenario.workload;
  const Topology topology(scenario.topology, step.plan.gpus);
  print(name + ": replay", [&] { replay_step(step, topology, Fidelity::folded, costs); });
  print(name + ": bound", [&] { step_time_bound(step, topology, costs); });
}

} // namespace

int main() {
  measure("Mixtral-8x7B on 128 GPUs", "mixtral-8x7b", {});
  const std::string big = "cluster.topology=\"../../topologies/fat-tree-3-tier.toml\"";
  measure("DeepSeek-V3 on 2048 GPUs", "deepseek-v3", {});
  measure("DeepSeek-V3 on 16384 GPUs", "deepseek-v3",
          {"cluster.gpus=16384", "training.global_batch=122880"});
  measure("DeepSeek-V3 on 131072 GPUs of pods of 2048", "deepseek-v3",
          {"cluster.gpus=131072", "training.global_batch=983040", "cluster.gpus_max=131072",
           "cluster.leaves_per_pod=64", big});
  measure("DeepSeek-V3 on 65536 GPUs of pods of 1280", "deepseek-v3",
          {"cluster.gpus=65536", "training.global_batch=491520", big});
}
