#include "sim/replay/ring_crossings.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace moesim {

namespace {

/// Whether a ring is one over domains with unequal numbers of its ranks, so that only some ranks
/// send to another domain.
bool is_ragged(const std::vector<RankFlow>& ring, std::size_t ranks, const Topology& topology) {
  const auto inside = std::count_if(ring.begin(), ring.end(), [&](const RankFlow& flow) {
    return topology.domain_of(flow.source) == topology.domain_of(flow.sink);
  });
  return ring.size() == ranks && inside > 0 && inside < static_cast<std::ptrdiff_t>(ranks);
}

} // namespace

// If all ranks send to another domain, the number of ranks that share a NIC is its load, and needs
// no count.
bool RingCrossing::counts(LinkKind kind) const {
  return is_switch_link(kind) || (ragged && row_of(kind).level == LinkLevel::nic);
}

const RingCrossing& RingCrossings::of(const CollectiveWork& work, std::int64_t stage) {
  const std::int64_t copied = symmetry_ ? 0 : stage;
  const auto [known, added] = found_.try_emplace({work.group, copied, work.kind});
  if (added)
    known->second = find(work, copied);
  return known->second;
}

RingCrossing RingCrossings::find(const CollectiveWork& work, std::int64_t stage) const {
  RingCrossing crossing;
  std::vector<RankFlow> rings;
  for (std::vector<RankId>& ranks : groups_of_stage(plan_, work.group, stage)) {
    const std::size_t senders = members_in_first_block(symmetry_, ranks);
    if (senders == 0 || (topology_.domain_of(ranks.front()) == topology_.domain_of(ranks.back()) &&
                         topology_.domain_gpus() == topology_.spec().node.scale_up_switch_gpus))
      continue;
    const CollectiveFlows flows(work, std::move(ranks), topology_);
    const std::vector<RankFlow> own = flows.sent_by_first(senders, 0);
    crossing.ragged = crossing.ragged || is_ragged(own, senders, topology_);
    for (const RankFlow& flow : own)
      if (flow.source != flow.sink)
        rings.push_back(flow);
  }
  std::map<LinkKind, std::map<LinkId, std::uint32_t>> loads;
  Route route;
  for (const RankFlow& flow : rings) {
    topology_.find_route(flow.source, flow.sink, route);
    for (const RouteHop& hop : route)
      if (crossing.counts(topology_.link(hop.link).kind)) {
        ++loads[topology_.link(hop.link).kind]
               [symmetry_ ? symmetry_->in_first_block(hop.link) : hop.link];
        crossing.flow = flow;
        crossing.of_bytes = static_cast<double>(work.bytes.value);
      }
  }
  for (const auto& [kind, links] : loads)
    for (const auto& [link, load] : links)
      crossing.loads[kind] = std::max(crossing.loads[kind], load);
  return crossing;
}

} // namespace moesim
