#include "sim/replay/replay.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/player.hpp"

#include <algorithm>
#include <map>

namespace moesim {

namespace {

/// The communication beside a compute on a device.
BesideCompute communication_beside(const ComputeWork& compute, std::uint32_t device,
                                   const StepGraph& graph, TrafficPlanner& planner) {
  if (!compute.beside)
    return {};
  const CollectiveWork& work = graph.works.collectives[*compute.beside];
  for (const DeviceGroup& group : graph.groups)
    if (group.kind == work.group && std::find(group.devices.begin(), group.devices.end(),
                                              DeviceId(device)) != group.devices.end())
      return planner.beside_compute(work, group);
  return {};
}

/// Times the computes of a graph.
class GraphComputes {
public:
  GraphComputes(const StepGraph& graph, const Topology& topology, const ComputeTimes& times,
                TrafficPlanner& planner)
      : graph_(graph), times_(times), planner_(planner),
        on_all_(graph.works.computes.size(), unknown) {
    for (const Device& device : graph.devices)
      speed_shares_.push_back(topology.gpu(device.rank).speed_share);
  }

  double seconds(const Op& op) {
    const ComputeWork& work = graph_.works.computes[op.work];
    // Where nothing runs beside it and ranks carry the same, it takes as long on all devices.
    const bool differs = work.beside || !work.by_expert_rank.empty();
    double& time = differs ? on_device_.try_emplace({op.work, op.location}, unknown).first->second
                           : on_all_[op.work];
    if (time == unknown)
      time = times_
                 .of(work, communication_beside(work, op.location, graph_, planner_),
                     static_cast<std::size_t>(graph_.devices[op.location].expert_rank))
                 .value;
    return time / speed_shares_[op.location];
  }

private:
  static constexpr double unknown = -1.0;

  const StepGraph& graph_;
  const ComputeTimes& times_;
  TrafficPlanner& planner_;
  // By work, and by device where one takes longer than another.
  std::vector<double> on_all_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, double> on_device_;
  std::vector<double> speed_shares_;
};

RunTimes times_of_run(const std::vector<Op>& run, const StepGraph& graph, StepTraffic& traffic,
                      GraphComputes& computes) {
  RunTimes times;
  for (const Op& op : run) {
    if (op.kind == OpKind::compute)
      times.parts.push_back(Seconds{computes.seconds(op)});
    else
      for (const StepPhase& phase : traffic.plan(graph, op))
        times.parts.insert(times.parts.end(), {phase.startup, phase.lone});
    times.ends.push_back(static_cast<std::uint32_t>(times.parts.size()));
  }
  return times;
}

/// Notes what the replay's traffic tells of links, flows and collectives.
void note_traffic(const StepTraffic& traffic, const Topology& topology, Timeline& timeline) {
  const TrafficPlanner& planner = traffic.planner();
  const std::vector<LinkId>& originals = planner.folding().originals();
  const std::vector<double> bytes = traffic.link_bytes(originals.size());
  for (std::size_t link = 0; link < originals.size(); ++link) {
    const Link& real = topology.link(originals[link]);
    timeline.links.push_back({real.name, real.kind, bytes[link], real.capacity});
  }
  for (const StepFlow& flow : traffic.flows()) {
    std::vector<LinkLoad>& loads = timeline.loads.emplace_back();
    for (const MachineRoute::Hop& hop : flow.planned.route.hops)
      loads.push_back({hop.link, flow.planned.bytes * hop.times});
    timeline.mixed.push_back(flow.planned.mixed);
  }
  timeline.algorithms = traffic.algorithms();
  timeline.errors = traffic.errors();
  timeline.limits = traffic.limits();
  const TrafficNotes& notes = planner.notes();
  timeline.uneven = notes.uneven;
  timeline.extrapolated.assign(notes.extrapolated.begin(), notes.extrapolated.end());
  timeline.stand_ins.assign(notes.stand_ins.begin(), notes.stand_ins.end());
}

} // namespace

Replay::Replay(const StepGraph& graph, StepTraffic& traffic, const ReplayContext& context)
    : graph_(graph), topology_(context.topology), traffic_(traffic),
      compute_times_(context.compute
                         ? std::optional<ComputeTimes>(std::in_place, graph.works, *context.compute)
                         : std::nullopt),
      durations_(graph.ops.size(), 0.0) {
  traffic.plan_all(graph);
  if (compute_times_) {
    GraphComputes computes(graph, topology_, *compute_times_, traffic.planner());
    for (std::size_t number = 0; number < graph.ops.size(); ++number)
      if (graph.ops[number].kind == OpKind::compute)
        durations_[number] = computes.seconds(graph.ops[number]);
    for (const std::vector<Op>& run : graph.runs)
      run_times_.push_back(times_of_run(run, graph, traffic, computes));
  }
  links_ = traffic.planner().folding().links();
}

Replay::Played Replay::play(Sharing sharing, Seconds limit) const {
  Played played;
  played.end = Player(graph_, traffic_, durations_, run_times_, links_)
                   .play(sharing, limit, played.timeline);
  if (played.end == PlayEnd::flows_met)
    return played;
  note_traffic(traffic_, topology_, played.timeline);
  played.timeline.runs = run_times_;
  return played;
}

Timeline replay(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context) {
  TrafficPlanner planner(layout, context.plan, context.topology, context.network, context.compute);
  StepTraffic traffic(planner);
  return Replay(graph, traffic, context).play(Sharing::allowed).timeline;
}

} // namespace moesim
