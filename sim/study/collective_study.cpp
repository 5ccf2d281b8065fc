#include "sim/study/collective_study.hpp"

#include "sim/base/check.hpp"
#include "sim/cost/collective_table.hpp"
#include "sim/replay/replay.hpp"
#include "sim/search/child_process.hpp"

#include <nlohmann/json.hpp>

namespace moesim {

namespace {

std::string algorithm_name(Collective chosen) {
  switch (chosen.algorithm) {
  case Algorithm::direct:
    return "flat";
  case Algorithm::two_phase:
    return "hierarchical";
  case Algorithm::ring:
    return "ring";
  case Algorithm::tree:
    return "tree";
  case Algorithm::in_switch:
    return "in-switch";
  case Algorithm::node_limited:
  case Algorithm::forwarding:
    return "node-limited";
  }
  INVARIANT(false, "algorithm of {}", collective_name(chosen));
}

StepGraph lone_graph(const CollectiveWork& work, const DeviceLayout& layout) {
  StepGraph graph;
  graph.devices = layout.devices;
  DeviceGroup group{work.group, {}};
  for (std::uint32_t device = 0; device < layout.devices.size(); ++device)
    group.devices.push_back(DeviceId(device));
  graph.groups = {group};
  graph.works.collectives = {work};
  graph.works.labels = {Label::of("Collective")};
  graph.add_op({OpKind::collective, Stream::expert_parallel, 0, 0, 0});
  graph.seal();
  return graph;
}

} // namespace

CollectiveResult replay_collective(const CollectiveWork& work, const ParallelPlan& plan,
                                   const Topology& topology, Fidelity fidelity,
                                   const NetworkCost& network) {
  const ReplayLayout layout = replay_layout(plan, topology, fidelity);
  const StepGraph graph = lone_graph(work, layout.layout);
  const Timeline timeline = replay(graph, layout, {plan, topology, nullptr, network});
  CollectiveResult result;
  result.size = work.bytes;
  result.time = timeline.end;
  result.algorithm = algorithm_name(timeline.algorithms.front());
  result.extrapolated = timeline.extrapolated;
  result.stand_ins = timeline.stand_ins;
  double highest = 0.0;
  for (const LinkUse& link : timeline.links)
    if (const double use = link.bytes / link.capacity.value; use > highest) {
      highest = use;
      result.bottleneck = link.name;
    }
  const double gbytes = static_cast<double>(work.bytes.value) * 1e-9;
  result.algbw_gbyte_per_s = gbytes / result.time.value;
  result.busbw_gbyte_per_s = result.algbw_gbyte_per_s * bus_factor(work.kind, plan.gpus);
  return result;
}

std::vector<CollectiveResult> time_collective(const CollectiveScenario& scenario,
                                              const NetworkCost& network) {
  using nlohmann::json;
  const Topology topology(scenario.topology, scenario.plan.gpus);
  std::vector<CollectiveResult> results;
  for (const Bytes size : scenario.sizes) {
    CollectiveWork work = scenario.work;
    work.bytes = size;
    const json answer = json::parse(run_in_child([&] {
      const CollectiveResult r =
          replay_collective(work, scenario.plan, topology, scenario.fidelity, network);
      return json{r.time.value,        r.algorithm,    r.bottleneck, r.algbw_gbyte_per_s,
                  r.busbw_gbyte_per_s, r.extrapolated, r.stand_ins}
          .dump();
    }));
    results.push_back({size,
                       {answer[0]},
                       answer[1],
                       answer[2],
                       answer[3],
                       answer[4],
                       answer[5].get<std::vector<std::string>>(),
                       answer[6].get<std::vector<std::string>>()});
  }
  return results;
}

} // namespace moesim
