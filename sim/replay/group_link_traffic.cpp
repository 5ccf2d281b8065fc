#include "sim/replay/group_link_traffic.hpp"

#include "sim/replay/class_traffic.hpp"
#include "sim/replay/link_loads.hpp"

namespace moesim {

TrafficPlan GroupLinkTraffic::collective(const CollectiveWork& work, DeviceId device) {
  const RankId member = context_.device(device).rank;
  const CollectiveFlows group = flows_of_group(work, member, context_);
  return plan_phases(group, context_.costs, [&](std::size_t phase) -> TrafficPhase {
    LinkLoads loads(context_.topology, context_.costs);
    loads.add_group(group, phase, work, kind_of(group));
    const FarthestFlow farthest = find_farthest(group.all(phase), member, context_.topology);
    TrafficPhase planned{loads.startup() + farthest.path, {}};
    for (const BusyLink& load : loads.loaded())
      planned.flows.push_back(flow_of_load(load, loads.mean_amount(), context_.folding));
    return planned;
  });
}

std::vector<PlannedFlow> GroupLinkTraffic::transfer(DeviceId source, DeviceId sink, double bytes) {
  const std::vector<RankFlow> pair = {
      {context_.device(source).rank, context_.device(sink).rank, bytes, bytes}};
  return plan_classes(pair, find_classes({pair}, context_), point_to_point_kind(), context_);
}

} // namespace moesim
