// The speed of the network's model, on one core: what it costs to build a cluster, to route over
// it, to play one all-to-all and to plan collectives whose loads all differ. Usage: bench_network

#include "sim/replay/traffic_planner.hpp"
#include "sim/search/child_process.hpp"
#include "sim/study/collective_study.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <random>

namespace {

using namespace moesim;

/// A rail-optimised tree of three tiers: 64-port leaves, pods of 32 leaves.
TopologySpec three_tiers(std::int64_t gpus) {
  TopologySpec spec;
  spec.name = "three-tiers";
  spec.gpus_max = gpus;
  spec.node.gpus = 8;
  spec.node.scale_up_interconnect = "nvlink4";
  spec.node.scale_up_gpus = 8;
  spec.node.scale_up_switch_gpus = 8;
  spec.node.scale_up = gbyte_per_s(450);
  spec.node.scale_up_latency = microseconds(0.25);
  spec.node.nics = 8;
  spec.node.nic_interconnect = "infiniband";
  spec.node.nic = gbit_per_s(400);
  spec.node.nic_latency = microseconds(0.6);
  spec.node.pcie = gbyte_per_s(63);
  spec.fabric.kind = FabricKind::rail_optimised;
  spec.fabric.tiers = 3;
  spec.fabric.nodes_per_leaf = 32;
  spec.fabric.leaves_per_pod = 32;
  spec.fabric.oversubscription = 1.0;
  spec.fabric.pod_oversubscription = 2.0;
  spec.fabric.switch_latency = microseconds(0.25);
  return spec;
}

class Stopwatch {
public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_)
        .count();
  }

private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void print(const std::string& what, double milliseconds) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{:<58} {:9.2f} ms {:7} MiB\n", what, milliseconds, usage.ru_maxrss / 1024);
  std::fflush(stdout); // before a fork doubles it
}

/// One flat all-to-all with the graph built, in a process of its own: SimGrid simulates once.
void play_all_to_all(const Topology& topology, const NetworkCost& network) {
  ParallelPlan plan;
  plan.gpus = topology.gpus();
  plan.expert = plan.gpus;
  CollectiveWork work;
  work.bytes = Bytes{std::int64_t{64} << 20};
  const std::string milliseconds = run_in_child([&] {
    const Stopwatch watch;
    replay_collective(work, plan, topology, Fidelity::folded, network);
    return std::to_string(watch.milliseconds());
  });
  print(fmt::format("one flat all-to-all over {} GPUs", topology.gpus()), std::stod(milliseconds));
}

void route_pairs(const Topology& topology) {
  constexpr std::uint32_t pairs = 10'000;
  const Stopwatch watch;
  Route route;
  std::size_t hops = 0;
  const auto gpus = static_cast<std::uint32_t>(topology.gpus());
  for (std::uint32_t pair = 0; pair < pairs; ++pair) {
    topology.find_route(RankId(pair * 7919 % gpus), RankId(pair * 104'729 % gpus), route);
    hops += route.size();
  }
  print(fmt::format("{} routes, {} hops", pairs, hops), watch.milliseconds());
}

/// Loads that all differ, with a mean of 1.
std::shared_ptr<const LoadMatrix> random_loads(std::size_t ranks, std::mt19937_64& engine) {
  std::vector<std::uint32_t> counts;
  double total = 0.0;
  for (std::size_t pair = 0; pair < ranks * ranks; ++pair)
    total += counts.emplace_back(static_cast<std::uint32_t>(engine() >> 32));
  return std::make_shared<LoadMatrix>(ranks, std::move(counts),
                                      static_cast<double>(ranks * ranks) / total);
}

/// DeepSeek-V3 on 2,048 GPUs: each layer and micro-batch loads its experts differently. Planned for
/// all pipeline stages in turn, each with two groups of 64 ranks.
void plan_uneven(const std::string& name, CollectiveWork work, const NetworkCost& network) {
  constexpr std::uint32_t collectives = 1000;
  const TopologySpec spec = read_topology(std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies" /
                                          "hgx-h800-ndr400.toml");
  ParallelPlan plan;
  plan.gpus = 2048;
  plan.pipeline = 16;
  plan.expert = 64;
  const Topology topology(spec, plan.gpus);
  const ReplayLayout layout{one_rank_per_stage(plan), LoadModel::stage_links};
  TrafficPlanner planner(layout, plan, topology, network, nullptr);
  work.bytes = Bytes{4096LL * 8 * 7168}; // a sequence's tokens, 8 experts each, in FP8
  work.fan_out = {256, 8, 8, 4};
  std::mt19937_64 engine(1);
  std::vector<CollectiveWork> works(collectives, work);
  for (CollectiveWork& one : works)
    one.loads = random_loads(static_cast<std::size_t>(plan.expert), engine);
  const Stopwatch watch;
  double amount = 0.0;
  for (std::uint32_t number = 0; number < collectives; ++number) {
    const DeviceId stage{number % static_cast<std::uint32_t>(plan.pipeline)};
    for (const TrafficPhase& phase :
         planner.collective(works[number], {GroupKind::expert, {stage}}).phases)
      for (const PlannedFlow& flow : phase.flows)
        amount += flow.amount;
  }
  print(fmt::format("{} uneven plans: {}, {:.6g} GB", collectives, name, amount * 1e-9),
        watch.milliseconds());
}

} // namespace

int main() {
  const NetworkCost network =
      NetworkCost::load(std::filesystem::path(MOESIM_SOURCE_DIR) / "calibration");
  plan_uneven("dispatch", {.kind = Collective::dispatch}, network);
  plan_uneven("all-to-all", {.kind = Collective::all_to_all}, network);
  plan_uneven("2D all-to-all", {.kind = Collective::two_phase_all_to_all}, network);
  for (const std::int64_t gpus : {512, 2048, 8192, 131'072}) {
    const Stopwatch watch;
    const Topology topology(three_tiers(gpus), gpus);
    print(fmt::format("build {} GPUs: {} links", gpus, topology.links()), watch.milliseconds());
    route_pairs(topology);
    play_all_to_all(topology, network);
    const Stopwatch cut;
    const Bisection bisection = topology.bisection();
    print(fmt::format("bisection: {:.4g} GB/s", bisection.rate.value * 1e-9), cut.milliseconds());
  }
}
