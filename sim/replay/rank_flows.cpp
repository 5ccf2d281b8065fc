#include "sim/replay/rank_flows.hpp"

#include "sim/base/check.hpp"
#include "sim/cost/collective_traffic.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace moesim {

void find_route(const Topology& topology, const RankFlow& flow, Route& route) {
  if (flow.source != flow.sink) {
    topology.find_route(flow.source, flow.sink, route);
    return;
  }
  route.clear();
  topology.append_to_switch_and_back(flow.source, route);
}

FarthestFlow find_farthest(const std::vector<RankFlow>& flows, RankId first,
                           const Topology& topology) {
  FarthestFlow farthest{first, {}};
  Route route;
  for (const RankFlow& flow : flows) {
    find_route(topology, flow, route);
    const Seconds path = topology.latency(route);
    if (path > farthest.path || (path == farthest.path && flow.source == first))
      farthest = {flow.source, path};
  }
  return farthest;
}

CollectiveFlows::CollectiveFlows(const CollectiveWork& work, std::vector<RankId> ranks,
                                 const Topology& topology)
    : topology_(topology), kind_(work.kind), shape_(row_of(work.kind).flows),
      seats_(std::move(ranks), topology) {
  take_amounts(work);
}

void CollectiveFlows::take_amounts(const CollectiveWork& work) {
  const std::size_t ranks = seats_.ranks.size();
  INVARIANT(work.kind == kind_, "{} after {}", collective_name(work.kind), collective_name(kind_));
  INVARIANT(!work.loads || work.loads->ranks() == ranks, "loads of {} ranks for {}",
            work.loads->ranks(), ranks);
  amounts_.bytes = static_cast<double>(work.bytes.value);
  amounts_.loads = work.loads;
  if (shape_ != FlowShape::fan_out || seats_.width == 0 ||
      (amounts_.token_ranks > 0.0 && work.fan_out == amounts_.fan_out))
    return;
  amounts_.fan_out = work.fan_out;
  amounts_.token_ranks = expected_parts(work.fan_out, static_cast<std::int64_t>(ranks));
  amounts_.token_domains =
      expected_parts(work.fan_out, static_cast<std::int64_t>(seats_.domains()));
}

std::size_t CollectiveFlows::position_of(RankId rank) const {
  return static_cast<std::size_t>(std::find(seats_.ranks.begin(), seats_.ranks.end(), rank) -
                                  seats_.ranks.begin());
}

bool CollectiveFlows::sits_like(const CollectiveFlows& other) const {
  if (seats_.ranks.size() != other.seats_.ranks.size())
    return false;
  std::map<std::int64_t, std::int64_t> counterparts;
  std::set<std::int64_t> taken;
  for (std::size_t i = 0; i < seats_.domain.size(); ++i) {
    const auto [known, added] = counterparts.emplace(seats_.domain[i], other.seats_.domain[i]);
    if (added ? !taken.insert(other.seats_.domain[i]).second
              : known->second != other.seats_.domain[i])
      return false;
  }
  return true;
}

void CollectiveFlows::append(std::size_t phase, std::size_t position,
                             std::vector<RankFlow>& flows) const {
  if (seats_.ranks.size() < 2)
    return;
  const std::size_t first = flows.size();
  append_shape(kind_, phase, position, seats_, amounts_, flows);
  double inside = 0.0;
  double outside = 0.0;
  const auto stays = [&](const RankFlow& flow) {
    return topology_.domain_of(flow.sink) == seats_.domain[position];
  };
  for (std::size_t i = first; i < flows.size(); ++i)
    (stays(flows[i]) ? inside : outside) += flows[i].bytes;
  for (std::size_t i = first; i < flows.size(); ++i)
    flows[i].message_bytes = stays(flows[i]) ? inside : outside;
}

std::vector<RankFlow> CollectiveFlows::sent_by_first(std::size_t members, std::size_t phase) const {
  std::vector<RankFlow> flows;
  for (std::size_t position = 0; position < members; ++position)
    append(phase, position, flows);
  return flows;
}

Collective CollectiveFlows::inside_kind() const {
  return inside_part(kind_,
                     {static_cast<std::int64_t>(seats_.ranks.size()), seats_.members_outside});
}

PeerCount CollectiveFlows::peers(std::size_t phase, std::size_t position) const {
  const auto size = static_cast<std::int64_t>(seats_.ranks.size());
  if (phases() == 2) {
    const auto width = static_cast<std::int64_t>(seats_.width);
    return phase == 0 ? PeerCount{width - 1, 0} : PeerCount{0, size / width - 1};
  }
  const std::int64_t own = seats_.sharers[position];
  if (is_ring(kind_))
    return {own - 1, outside_peers(kind_, {size, seats_.members_outside})};
  return {own - 1, size - own};
}

} // namespace moesim
