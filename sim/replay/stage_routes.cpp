#include "sim/replay/stage_routes.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace moesim {

namespace {

/// Most links on the routes of a phase: 32 MiB. With more, routes are found again for each work.
constexpr std::size_t terms_max = std::size_t{1} << 21;

} // namespace

std::optional<TrafficPlan> StageRoutes::plan(const CollectiveWork& work, DeviceId device) {
  std::vector<Phase>& phases = phases_of(work, device);
  if (phases.empty())
    return std::nullopt;
  TrafficPlan plan{work.kind, {}, 0.0};
  for (std::size_t number = 0; number < phases.size(); ++number) {
    plan.phases.push_back(plan_phase(work, number, phases[number], context_.device(device).rank));
    plan.error = std::max(plan.error, phases[number].error);
  }
  return plan;
}

std::vector<StageRoutes::Phase>& StageRoutes::phases_of(const CollectiveWork& work,
                                                        DeviceId device) {
  const auto [known, added] = known_.try_emplace({work.kind, work.group, device});
  std::vector<Phase>& phases = known->second;
  if (!added)
    return phases;
  const Device& member = context_.device(device);
  const CollectiveFlows own = flows_of_group(work, member.rank, context_);
  std::vector<CollectiveFlows> groups;
  for (std::vector<RankId>& ranks : groups_of_stage(context_.plan, work.group, member.stage))
    groups.emplace_back(work, std::move(ranks), context_.topology);
  for (std::size_t phase = 0; phase < own.phases(); ++phase) {
    std::optional<Phase> found = find_phase(groups, own, phase, member.rank);
    if (!found) {
      phases.clear();
      return phases;
    }
    // Stages with equivalent positions, and a dispatch and its combine, have the same sums.
    for (const auto& [key, others] : known_)
      if (phase < others.size() && found->sums.share_rows(others[phase].sums))
        break;
    phases.push_back(std::move(*found));
  }
  return phases;
}

std::optional<StageRoutes::Phase>
StageRoutes::find_phase(const std::vector<CollectiveFlows>& groups, const CollectiveFlows& own,
                        std::size_t phase, RankId first) const {
  const FlowKind kind = kind_of(own);
  std::vector<CollectiveFlows> shapes;
  std::vector<std::uint32_t> first_flows = {0}; // index of the first flow of each shape, and the
                                                // end of the last
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
    for (std::size_t position = 0; position < flows.ranks().size(); ++position) {
      sent.clear();
      flows.append(phase, position, sent);
      latest = std::max(latest, context_.costs.startup(kind, flows.peers(phase, position)));
      for (const RankFlow& flow : sent) {
        find_route(context_.topology, flow, route);
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
  own.append(phase, own.position_of(first), sent);
  return Phase{kind, std::move(shapes), LinkSums(context_.topology, terms),
               latest + find_farthest(sent, first, context_.topology).path,
               context_.costs.error(kind, own.peers(phase, 0))};
}

TrafficPhase StageRoutes::plan_phase(const CollectiveWork& work, std::size_t number, Phase& phase,
                                     RankId member) const {
  const Topology& topology = context_.topology;
  std::vector<double> bytes;
  std::vector<double> amounts;
  std::vector<RankFlow> sent;
  for (CollectiveFlows& shape : phase.shapes) {
    shape.take_amounts(work);
    for (std::size_t position = 0; position < shape.ranks().size(); ++position) {
      sent.clear();
      shape.append(number, position, sent);
      // All flows of a rank inside its domain have one efficiency, and those outside another.
      std::array<std::optional<double>, 2> efficiencies;
      for (const RankFlow& flow : sent) {
        const bool inside = topology.domain_of(flow.source) == topology.domain_of(flow.sink);
        std::optional<double>& share = efficiencies[inside ? 0 : 1];
        if (!share)
          share = context_.costs.efficiency(flow, phase.kind);
        bytes.push_back(flow.bytes);
        amounts.push_back(flow.bytes / *share);
      }
    }
  }
  TrafficPhase planned{phase.startup, {}};
  const double mean =
      std::accumulate(amounts.begin(), amounts.end(), 0.0) / static_cast<double>(amounts.size());
  for (const BusyLink& load : phase.sums.busiest(bytes, amounts))
    planned.flows.push_back(flow_of_stage_load(member, load, mean, context_.folding));
  return planned;
}

} // namespace moesim
