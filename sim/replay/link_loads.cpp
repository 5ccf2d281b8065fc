#include "sim/replay/link_loads.hpp"

#include "sim/replay/uniform_loads.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace moesim {

LinkLoads::LinkLoads(const Topology& topology, const FlowCosts& costs)
    : topology_(topology), costs_(costs), bytes_(topology.links(), 0.0),
      amounts_(topology.links(), 0.0) {}

void LinkLoads::add_group(const CollectiveFlows& group, std::size_t phase,
                          const CollectiveWork& work, const FlowKind& kind) {
  if (add_uniform(group, work, kind))
    return;
  means_.push_back(costs_.mean_amount(group.all(phase), kind));
  for (std::size_t position = 0; position < group.ranks().size(); ++position) {
    std::vector<RankFlow> sent;
    group.append(phase, position, sent);
    startup_ = std::max(startup_, costs_.startup(kind, group.peers(phase, position)));
    add_flows(sent, kind);
  }
}

bool LinkLoads::add_uniform(const CollectiveFlows& group, const CollectiveWork& work,
                            const FlowKind& kind) {
  const auto ranks = static_cast<std::int64_t>(group.ranks().size());
  const bool even = kind.members_inside * kind.members_outside == ranks;
  if (work.kind != Collective::all_to_all || work.loads || !even)
    return false;
  const auto counts = count_all_to_all(topology_, group.ranks());
  if (!counts)
    return false;
  // All ranks send the same flows: those of one give the efficiencies.
  std::vector<RankFlow> sent;
  group.append(0, 0, sent);
  double inside = 0.0;
  double outside = 0.0;
  for (const RankFlow& flow : sent)
    (topology_.domain_of(flow.source) == topology_.domain_of(flow.sink) ? inside : outside) =
        costs_.amount(flow, kind);
  const double message = sent.empty() ? 0.0 : sent.front().bytes;
  for (const FlowCount& count : *counts)
    add(count.link, message * (count.inside + count.outside),
        inside * count.inside + outside * count.outside);
  startup_ = std::max(startup_, costs_.startup(kind, group.peers(0, 0)));
  means_.push_back(costs_.mean_amount(sent, kind));
  return true;
}

void LinkLoads::add(LinkId link, double bytes, double amount) {
  double& sum = amounts_[index(link)];
  if (sum == 0.0 && amount > 0.0)
    loaded_.push_back(link);
  bytes_[index(link)] += bytes;
  sum += amount;
}

void LinkLoads::add_flows(const std::vector<RankFlow>& sent, const FlowKind& kind) {
  if (sent.empty())
    return;
  std::vector<RankId> sinks;
  std::vector<double> sent_bytes;
  std::vector<double> sent_amounts;
  Route route;
  for (const RankFlow& flow : sent) {
    const double amount = costs_.amount(flow, kind);
    if (flow.source == flow.sink || topology_.regular()) {
      find_route(topology_, flow, route);
      for (const RouteHop& hop : route)
        add(hop.link, flow.bytes * hop.share, amount * hop.share);
      continue;
    }
    sinks.push_back(flow.sink);
    sent_bytes.push_back(flow.bytes);
    sent_amounts.push_back(amount);
  }
  if (sinks.empty())
    return;
  topology_.add_loads(sent.front().source, sinks, sent_bytes, bytes_);
  topology_.add_loads(sent.front().source, sinks, sent_amounts, amounts_);
}

double LinkLoads::mean_amount() const {
  return std::accumulate(means_.begin(), means_.end(), 0.0) / static_cast<double>(means_.size());
}

std::vector<BusyLink> LinkLoads::loaded() const {
  std::vector<BusyLink> loads;
  const auto append = [&](LinkId link) {
    loads.push_back({link, bytes_[index(link)], amounts_[index(link)]});
  };
  if (topology_.regular()) {
    std::vector<LinkId> links = loaded_;
    std::sort(links.begin(), links.end());
    std::for_each(links.begin(), links.end(), append);
    return loads;
  }
  for (std::uint32_t number = 0; number < amounts_.size(); ++number)
    if (amounts_[number] > 0.0)
      append(LinkId(number));
  return loads;
}

std::vector<BusyLink> LinkLoads::busiest() const {
  const auto time = [&](const BusyLink& load) {
    return load.amount / topology_.link(load.link).capacity.value;
  };
  std::map<LinkKind, BusyLink> slowest;
  for (const BusyLink& load : loaded()) {
    BusyLink& worst = slowest.emplace(topology_.link(load.link).kind, load).first->second;
    if (time(load) > time(worst))
      worst = load;
  }
  std::vector<BusyLink> loads;
  for (const auto& [kind, load] : slowest)
    loads.push_back(load);
  return loads;
}

} // namespace moesim
