#include "sim/replay/step_traffic.hpp"

#include "sim/replay/reduced_routes.hpp"

#include <algorithm>

namespace moesim {

std::span<const StepPhase> StepTraffic::plan(const StepGraph& graph, const Op& op) {
  return phases_of(find(graph, op));
}

void StepTraffic::plan_all(const StepGraph& graph) {
  algorithms_.resize(graph.works.collectives.size(), Collective::all_to_all);
  errors_.resize(graph.works.collectives.size(), 0.0);
  limits_.resize(graph.works.collectives.size());
  plan_of_op_.assign(graph.ops.size(), 0);
  std::vector<std::uint64_t> times(graph.runs.size(), 0); // that each run runs
  for (std::size_t number = 0; number < graph.ops.size(); ++number) {
    const Op& op = graph.ops[number];
    if (op.kind == OpKind::compute)
      continue;
    if (op.kind == OpKind::run) {
      ++times[op.work];
      continue;
    }
    plan_of_op_[number] = find(graph, op);
    ++plans_[plan_of_op_[number]].runs;
  }
  played_flows_ = 0;
  for (const Plan& plan : plans_)
    for (std::uint32_t phase = 0; phase < plan.phase_count; ++phase)
      played_flows_ += plan.runs * phases_[plan.first_phase + phase].flow_count;
  for (std::size_t run = 0; run < graph.runs.size(); ++run)
    for (const Op& op : graph.runs[run])
      if (op.kind != OpKind::compute)
        plans_[find(graph, op)].runs += times[run];
  count_runs();
}

/// The index of a communication's plan.
std::uint32_t StepTraffic::find(const StepGraph& graph, const Op& op) {
  const std::uint64_t transfer = op.kind == OpKind::transfer ? 1 : 0;
  const auto [plan, added] =
      known_.try_emplace(transfer << 63U | std::uint64_t{op.work} << 32U | op.location, 0);
  if (added)
    plan->second = add(graph, op);
  return plan->second;
}

std::uint32_t StepTraffic::add(const StepGraph& graph, const Op& op) {
  if (op.kind == OpKind::transfer)
    return add(planner_.transfer(graph.works.transfers[op.work], graph.pairs[op.location]));
  const TrafficPlan& plan =
      planner_.collective(graph.works.collectives[op.work], graph.groups[op.location]);
  algorithms_.resize(graph.works.collectives.size(), Collective::all_to_all);
  errors_.resize(graph.works.collectives.size(), 0.0);
  limits_.resize(graph.works.collectives.size());
  algorithms_[op.work] = plan.algorithm;
  errors_[op.work] = std::max(errors_[op.work], plan.error);
  limits_[op.work] = limit_of(plan, planner_.folding());
  return add(plan);
}

std::uint32_t StepTraffic::add(const TrafficPlan& plan) {
  plans_.push_back(
      {static_cast<std::uint32_t>(phases_.size()), static_cast<std::uint32_t>(plan.phases.size())});
  for (const TrafficPhase& planned : plan.phases) {
    StepPhase phase{planned.startup, Seconds{}, static_cast<std::uint32_t>(flows_.size()),
                    static_cast<std::uint32_t>(planned.flows.size())};
    const std::vector<LoneFlow> lone = lone_flows(planned, planner_.folding());
    for (std::size_t flow = 0; flow < lone.size(); ++flow) {
      flows_.push_back({planned.flows[flow], lone[flow]});
      phase.lone = std::max(phase.lone, lone[flow].duration);
    }
    phases_.push_back(phase);
  }
  return static_cast<std::uint32_t>(plans_.size() - 1);
}

void StepTraffic::count_runs() {
  for (const Plan& plan : plans_)
    for (std::uint32_t phase = 0; phase < plan.phase_count; ++phase) {
      const StepPhase& of = phases_[plan.first_phase + phase];
      for (std::uint32_t flow = 0; flow < of.flow_count; ++flow)
        flows_[of.first_flow + flow].runs = static_cast<double>(plan.runs);
    }
}

std::span<const StepPhase> StepTraffic::phases_of(std::uint32_t plan) const {
  return {phases_.data() + plans_[plan].first_phase, plans_[plan].phase_count};
}

std::vector<double> StepTraffic::link_bytes(std::size_t links) const {
  std::vector<double> bytes(links, 0.0);
  for (const StepFlow& flow : flows_)
    for (const MachineRoute::Hop& hop : flow.planned.route.hops)
      bytes[hop.link] += flow.runs * flow.planned.bytes * hop.times;
  return bytes;
}

std::vector<MachineRoute> StepTraffic::reduced_routes(std::vector<MachineLink>& links) const {
  std::vector<MachineRoute> routes;
  std::vector<double> runs;
  for (const StepFlow& flow : flows_) {
    routes.push_back(flow.planned.route);
    runs.push_back(flow.runs);
  }
  reduce_routes(routes, runs, links);
  return routes;
}

} // namespace moesim
