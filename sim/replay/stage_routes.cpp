#include "sim/replay/traffic.hpp"

#include <algorithm>
#include <array>
#include <numeric>

// The traffic of collectives as loads of links: the part of the planner for the many collectives of
// a stage that differ in their loads alone. Their flows take the same routes, so that these are
// found once.
namespace moesim {

namespace {

/// So many links on the routes of a stage take 32 MiB. Beyond, routes are found anew for each load.
constexpr std::size_t terms_max = std::size_t{1} << 21;

} // namespace

std::vector<TrafficPlanner::StageRoutes>&
TrafficPlanner::routes_of_stage(const CollectiveWork& work, const DeviceGroup& group) {
  const StageKey key{work.kind, work.group, group.devices.front()};
  const auto [known, added] = routes_.try_emplace(key);
  std::vector<StageRoutes>& phases = known->second;
  if (!added)
    return phases;
  const Device& device = layout_.devices[index(group.devices.front())];
  const CollectiveFlows group_flows(work, group_of(plan_, work.group, device.rank), topology_);
  std::vector<CollectiveFlows> groups;
  for (std::vector<RankId>& ranks : groups_of_stage(plan_, work.group, device.stage))
    groups.emplace_back(work, std::move(ranks), topology_);
  for (std::size_t phase = 0; phase < group_flows.phases(); ++phase) {
    std::optional<StageRoutes> routes = route_stage(groups, group_flows, phase, device.rank);
    if (!routes) {
      phases.clear();
      return phases;
    }
    // Stages that sit alike, and a dispatch and its combine, add up the same flows.
    for (const auto& [other, of_other] : routes_)
      if (phase < of_other.size() && routes->sums.share_rows(of_other[phase].sums))
        break;
    phases.push_back(std::move(*routes));
  }
  return phases;
}

std::optional<TrafficPlanner::StageRoutes>
TrafficPlanner::route_stage(const std::vector<CollectiveFlows>& groups,
                            const CollectiveFlows& group_flows, std::size_t phase,
                            RankId first) const {
  const FlowKind kind = kind_of(group_flows);
  std::vector<CollectiveFlows> shapes;
  std::vector<std::uint32_t> first_flows = {0}; // of each shape, and of one more
  std::vector<LinkTerm> terms;
  Seconds latest;
  std::vector<RankFlow> sent;
  Route route;
  for (const CollectiveFlows& flows : groups) {
    const auto alike =
        std::find_if(shapes.begin(), shapes.end(),
                     [&](const CollectiveFlows& shape) { return flows.sits_like(shape); });
    const bool added = alike == shapes.end();
    std::uint32_t number = first_flows[static_cast<std::size_t>(alike - shapes.begin())];
    for (std::size_t place = 0; place < flows.ranks().size(); ++place) {
      sent.clear();
      flows.append(phase, place, sent);
      latest = std::max(latest, costs_.startup(kind, flows.peers(phase, place)));
      for (const RankFlow& flow : sent) {
        find_route(topology_, flow, route);
        for (const RouteHop& hop : route)
          terms.push_back({hop.link, number, hop.share});
        ++number;
      }
      if (terms.size() > terms_max)
        return std::nullopt;
    }
    if (added) {
      shapes.push_back(flows);
      first_flows.push_back(number);
    }
  }
  sent.clear();
  const std::vector<RankId>& ranks = group_flows.ranks();
  const auto place = std::find(ranks.begin(), ranks.end(), first) - ranks.begin();
  group_flows.append(phase, static_cast<std::size_t>(place), sent);
  return StageRoutes{kind, std::move(shapes), LinkSums(topology_, terms),
                     latest + find_farthest(sent, first, topology_).path,
                     costs_.error(kind, group_flows.peers(phase, 0))};
}

TrafficPlan TrafficPlanner::plan_by_routes(const CollectiveWork& work,
                                           std::vector<StageRoutes>& routes) {
  TrafficPlan plan{work.kind, {}, 0.0};
  std::vector<double> bytes;
  std::vector<double> amounts;
  std::vector<RankFlow> sent;
  for (std::size_t phase = 0; phase < routes.size(); ++phase) {
    StageRoutes& stage = routes[phase];
    bytes.clear();
    amounts.clear();
    for (CollectiveFlows& shape : stage.shapes) {
      shape.take_amounts(work);
      for (std::size_t place = 0; place < shape.ranks().size(); ++place) {
        sent.clear();
        shape.append(phase, place, sent);
        // What a rank sends inside its domain is of one efficiency, and what it sends beyond.
        std::array<std::optional<double>, 2> efficiencies;
        for (const RankFlow& flow : sent) {
          const bool inside = topology_.domain_of(flow.source) == topology_.domain_of(flow.sink);
          std::optional<double>& share = efficiencies[inside ? 0 : 1];
          if (!share)
            share = costs_.efficiency(flow, stage.kind);
          bytes.push_back(flow.bytes);
          amounts.push_back(flow.bytes / *share);
        }
      }
    }
    TrafficPhase planned{stage.startup, {}};
    const double mean =
        std::accumulate(amounts.begin(), amounts.end(), 0.0) / static_cast<double>(amounts.size());
    for (const BusyLink& load : stage.sums.busiest(bytes, amounts))
      planned.flows.push_back(
          {{{folding_.hop(load.link)}, load.amount / mean}, load.bytes, load.amount});
    plan.phases.push_back(std::move(planned));
    plan.error = std::max(plan.error, stage.error);
  }
  return plan;
}

} // namespace moesim
