#include "sim/replay/traffic.hpp"
#include "sim/replay/uniform_loads.hpp"

#include <algorithm>
#include <numeric>

// The traffic of collectives as loads of links: the part of the planner for ranks that differ.
namespace moesim {

std::optional<Seconds> TrafficPlanner::add_uniform_loads(const CollectiveFlows& flows,
                                                         const CollectiveWork& work,
                                                         const FlowKind& kind,
                                                         std::vector<double>& bytes,
                                                         std::vector<double>& amounts) {
  const auto ranks = static_cast<std::int64_t>(flows.ranks().size());
  const bool even = kind.members_inside * kind.members_outside == ranks;
  if (work.kind != Collective::all_to_all || work.loads || !even)
    return std::nullopt;
  const auto counts = count_all_to_all(topology_, flows.ranks());
  if (!counts)
    return std::nullopt;
  // All ranks send alike: one's flows tell the efficiencies.
  std::vector<RankFlow> sent;
  flows.append(0, 0, sent);
  double inside = 0.0;
  double outside = 0.0;
  for (const RankFlow& flow : sent)
    (topology_.domain_of(flow.source) == topology_.domain_of(flow.sink) ? inside : outside) =
        costs_.amount(flow, kind);
  const double message = sent.empty() ? 0.0 : sent.front().bytes;
  for (std::size_t link = 0; link < bytes.size(); ++link) {
    bytes[link] += message * (counts->inside[link] + counts->outside[link]);
    amounts[link] += inside * counts->inside[link] + outside * counts->outside[link];
  }
  return costs_.startup(kind, flows.peers(0, 0));
}

TrafficPhase TrafficPlanner::plan_link_loads(const CollectiveFlows& group_flows, std::size_t phase,
                                             const CollectiveWork& work, const Device& device) {
  std::vector<double> bytes(topology_.links(), 0.0);
  std::vector<double> amounts(topology_.links(), 0.0);
  TrafficPhase planned;
  const FlowKind kind = kind_of(group_flows);
  std::vector<double> means; // amounts of a flow, by group
  const auto add_group = [&](const CollectiveFlows& flows) {
    if (const auto latest = add_uniform_loads(flows, work, kind, bytes, amounts)) {
      planned.startup = std::max(planned.startup, *latest);
      std::vector<RankFlow> sent;
      flows.append(phase, 0, sent);
      means.push_back(costs_.mean_amount(sent, kind));
      return;
    }
    means.push_back(costs_.mean_amount(flows.all(phase), kind));
    for (std::size_t place = 0; place < flows.ranks().size(); ++place) {
      std::vector<RankFlow> sent;
      flows.append(phase, place, sent);
      planned.startup = std::max(planned.startup, costs_.startup(kind, flows.peers(phase, place)));
      add_rank_loads(sent, kind, bytes, amounts);
    }
  };
  if (model_ == LoadModel::stage_links)
    for (std::vector<RankId>& ranks : groups_of_stage(plan_, work.group, device.stage))
      add_group(CollectiveFlows(work, std::move(ranks), topology_));
  else
    add_group(group_flows);
  const auto place = static_cast<std::size_t>(
      std::find(group_flows.ranks().begin(), group_flows.ranks().end(), device.rank) -
      group_flows.ranks().begin());
  std::vector<RankFlow> sent;
  if (model_ == LoadModel::stage_links)
    group_flows.append(phase, place, sent);
  else
    sent = group_flows.all(phase);
  planned.startup += find_farthest(sent, device.rank, topology_).path;
  const double mean =
      std::accumulate(means.begin(), means.end(), 0.0) / static_cast<double>(means.size());
  planned.flows = flows_of_loads(bytes, amounts, mean);
  return planned;
}

std::vector<PlannedFlow> TrafficPlanner::flows_of_loads(const std::vector<double>& bytes,
                                                        const std::vector<double>& amounts,
                                                        double mean_amount) {
  std::vector<PlannedFlow> flows;
  const auto add = [&](LinkId link) {
    flows.push_back({{{folding_.hop(link)}, amounts[index(link)] / mean_amount},
                     bytes[index(link)],
                     amounts[index(link)]});
  };
  const auto time = [&](LinkId link) {
    return amounts[index(link)] / topology_.link(link).capacity.value;
  };
  std::map<LinkKind, LinkId> busiest;
  for (std::uint32_t number = 0; number < amounts.size(); ++number) {
    const LinkId link{number};
    if (amounts[number] <= 0.0)
      continue;
    if (model_ == LoadModel::group_links) {
      add(link);
      continue;
    }
    LinkId& worst = busiest.emplace(topology_.link(link).kind, link).first->second;
    if (time(link) > time(worst))
      worst = link;
  }
  for (const auto& [kind, link] : busiest)
    add(link);
  return flows;
}

std::vector<PlannedFlow> TrafficPlanner::plan_stage_transfer(const Device& source,
                                                             const Device& sink, double bytes,
                                                             const FlowKind& kind) {
  std::vector<double> link_bytes(topology_.links(), 0.0);
  std::vector<double> amounts(topology_.links(), 0.0);
  const std::int64_t ranks = plan_.stage_ranks();
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const RankFlow flow{RankId(static_cast<std::uint32_t>(source.stage * ranks + rank)),
                        RankId(static_cast<std::uint32_t>(sink.stage * ranks + rank)), bytes,
                        bytes};
    add_rank_loads({flow}, kind, link_bytes, amounts);
  }
  return flows_of_loads(link_bytes, amounts,
                        costs_.amount({source.rank, sink.rank, bytes, bytes}, kind));
}

void TrafficPlanner::add_rank_loads(const std::vector<RankFlow>& sent, const FlowKind& kind,
                                    std::vector<double>& bytes,
                                    std::vector<double>& amounts) const {
  if (sent.empty())
    return;
  std::vector<RankId> sinks;
  std::vector<double> sent_bytes;
  std::vector<double> sent_amounts;
  Route route;
  for (const RankFlow& flow : sent) {
    const double amount = costs_.amount(flow, kind);
    if (flow.source == flow.sink) {
      find_route(topology_, flow, route);
      for (const RouteHop& hop : route) {
        bytes[index(hop.link)] += flow.bytes;
        amounts[index(hop.link)] += amount;
      }
      continue;
    }
    sinks.push_back(flow.sink);
    sent_bytes.push_back(flow.bytes);
    sent_amounts.push_back(amount);
  }
  topology_.add_loads(sent.front().source, sinks, sent_bytes, bytes);
  topology_.add_loads(sent.front().source, sinks, sent_amounts, amounts);
}

} // namespace moesim
