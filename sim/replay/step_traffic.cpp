#include "sim/replay/step_traffic.hpp"

#include "sim/replay/reduced_routes.hpp"

#include <algorithm>
#include <unordered_map>

namespace moesim {

StepTraffic::StepTraffic(const StepGraph& graph, TrafficPlanner& planner)
    : plan_of_op_(graph.ops.size(), 0),
      algorithms_(graph.works.collectives.size(), Collective::all_to_all),
      errors_(graph.works.collectives.size(), 0.0) {
  std::unordered_map<std::uint64_t, std::uint32_t> known; // plans by kind, work and location
  for (std::size_t number = 0; number < graph.ops.size(); ++number) {
    const Op& op = graph.ops[number];
    if (op.kind == OpKind::compute)
      continue;
    const std::uint64_t transfer = op.kind == OpKind::transfer ? 1 : 0;
    const auto [plan, added] =
        known.try_emplace(transfer << 63U | std::uint64_t{op.work} << 32U | op.location, 0);
    if (added)
      plan->second = add(graph, op, planner);
    plan_of_op_[number] = plan->second;
    ++plans_[plan->second].runs;
  }
  count_runs();
}

std::uint32_t StepTraffic::add(const StepGraph& graph, const Op& op, TrafficPlanner& planner) {
  if (op.kind == OpKind::transfer)
    return add(planner.transfer(graph.works.transfers[op.work], graph.pairs[op.location]),
               planner.folding());
  const TrafficPlan& plan =
      planner.collective(graph.works.collectives[op.work], graph.groups[op.location]);
  algorithms_[op.work] = plan.algorithm;
  errors_[op.work] = std::max(errors_[op.work], plan.error);
  return add(plan, planner.folding());
}

std::uint32_t StepTraffic::add(const TrafficPlan& plan, const LinkFolding& folding) {
  plans_.push_back(
      {static_cast<std::uint32_t>(phases_.size()), static_cast<std::uint32_t>(plan.phases.size())});
  for (const TrafficPhase& planned : plan.phases) {
    StepPhase phase{planned.startup, Seconds{}, static_cast<std::uint32_t>(flows_.size()),
                    static_cast<std::uint32_t>(planned.flows.size())};
    const std::vector<LoneFlow> lone = lone_flows(planned, folding);
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

std::span<const StepPhase> StepTraffic::phases(OpId op) const {
  const Plan& plan = plans_[plan_of_op_[index(op)]];
  return {phases_.data() + plan.first_phase, plan.phase_count};
}

std::size_t StepTraffic::runs() const {
  double runs = 0.0;
  for (const StepFlow& flow : flows_)
    runs += flow.runs;
  return static_cast<std::size_t>(runs);
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
