#include "sim/replay/stage_link_traffic.hpp"

#include "sim/replay/link_loads.hpp"

#include <utility>

namespace moesim {

TrafficPlan StageLinkTraffic::collective(const CollectiveWork& work, DeviceId device) {
  // Many works differ in their loads alone: they share the routes of their flows.
  if (work.loads && !is_ring(work.kind))
    if (auto plan = routes_.plan(work, device))
      return *std::move(plan);
  const Device& member = context_.device(device);
  const CollectiveFlows group = flows_of_group(work, member.rank, context_);
  return plan_phases(group, context_.costs,
                     [&](std::size_t phase) { return plan_phase(group, phase, work, member); });
}

TrafficPhase StageLinkTraffic::plan_phase(const CollectiveFlows& group, std::size_t phase,
                                          const CollectiveWork& work, const Device& device) {
  const FlowKind kind = kind_of(group);
  LinkLoads loads(context_.topology, context_.costs);
  for (std::vector<RankId>& ranks : groups_of_stage(context_.plan, work.group, device.stage))
    loads.add_group(CollectiveFlows(work, std::move(ranks), context_.topology), phase, work, kind);
  std::vector<RankFlow> sent;
  group.append(phase, group.position_of(device.rank), sent);
  TrafficPhase planned{loads.startup() + find_farthest(sent, device.rank, context_.topology).path,
                       {}};
  for (const BusyLink& load : loads.busiest())
    planned.flows.push_back(
        flow_of_stage_load(device.rank, load, loads.mean_amount(), context_.folding));
  return planned;
}

std::vector<PlannedFlow> StageLinkTraffic::transfer(DeviceId source, DeviceId sink, double bytes) {
  const FlowKind kind = point_to_point_kind();
  const Device& from = context_.device(source);
  const Device& to = context_.device(sink);
  const std::int64_t ranks = context_.plan.stage_ranks();
  LinkLoads loads(context_.topology, context_.costs);
  for (std::int64_t rank = 0; rank < ranks; ++rank)
    loads.add_flows({{RankId(static_cast<std::uint32_t>(from.stage * ranks + rank)),
                      RankId(static_cast<std::uint32_t>(to.stage * ranks + rank)), bytes, bytes}},
                    kind);
  const double amount = context_.costs.amount({from.rank, to.rank, bytes, bytes}, kind);
  std::vector<PlannedFlow> flows;
  for (const BusyLink& load : loads.busiest()) {
    const bool arrives = is_inbound(context_.topology.link(load.link).kind);
    flows.push_back(
        flow_of_stage_load(arrives ? to.rank : from.rank, load, amount, context_.folding));
  }
  return flows;
}

} // namespace moesim
