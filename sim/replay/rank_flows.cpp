#include "sim/replay/rank_flows.hpp"

#include "sim/base/check.hpp"
#include "sim/cost/collective_traffic.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace moesim {

namespace {

/// How many ranks of the group each of its domains holds, if all hold as many; 0 if not. Groups
/// are in the order of ranks, so a domain's ranks follow each other.
std::size_t ranks_per_domain(const std::vector<std::int64_t>& domains) {
  std::size_t width = 0;
  std::size_t run = 0;
  for (std::size_t i = 0; i < domains.size(); ++i) {
    ++run;
    if (i + 1 < domains.size() && domains[i] == domains[i + 1])
      continue;
    if (width != 0 && run != width)
      return 0;
    width = run;
    run = 0;
  }
  return width;
}

} // namespace

void find_route(const Topology& topology, const RankFlow& flow, Route& route) {
  if (flow.source != flow.sink) {
    topology.find_route(flow.source, flow.sink, route);
    return;
  }
  route.clear();
  topology.append_to_switch_and_back(flow.source, route);
}

CollectiveFlows::CollectiveFlows(const CollectiveWork& work, std::vector<RankId> ranks,
                                 const Topology& topology)
    : topology_(topology), kind_(work.kind), shape_(row_of(work.kind).flows),
      ranks_(std::move(ranks)) {
  for (const RankId rank : ranks_)
    domain_.push_back(topology.domain_of(rank));
  width_ = ranks_per_domain(domain_);
  std::map<std::int64_t, std::int64_t> members;
  for (const std::int64_t domain : domain_)
    members_inside_ = std::max(members_inside_, ++members[domain]);
  for (const std::int64_t domain : domain_)
    sharers_.push_back(members[domain]);
  members_outside_ = static_cast<std::int64_t>(members.size());
  take_amounts(work);
}

void CollectiveFlows::take_amounts(const CollectiveWork& work) {
  INVARIANT(work.kind == kind_, "{} after {}", collective_name(work.kind), collective_name(kind_));
  INVARIANT(!work.loads || work.loads->ranks() == ranks_.size(), "loads of {} ranks for {}",
            work.loads->ranks(), ranks_.size());
  bytes_ = static_cast<double>(work.bytes.value);
  loads_ = work.loads;
  if (shape_ != FlowShape::fan_out || width_ == 0 ||
      (token_ranks_ > 0.0 && work.fan_out == fan_out_))
    return;
  fan_out_ = work.fan_out;
  token_ranks_ = expected_parts(fan_out_, static_cast<std::int64_t>(ranks_.size()));
  token_domains_ = expected_parts(fan_out_, static_cast<std::int64_t>(domains()));
}

bool CollectiveFlows::sits_like(const CollectiveFlows& other) const {
  if (ranks_.size() != other.ranks_.size())
    return false;
  std::map<std::int64_t, std::int64_t> counterparts;
  std::set<std::int64_t> taken;
  for (std::size_t i = 0; i < domain_.size(); ++i) {
    const auto [known, added] = counterparts.emplace(domain_[i], other.domain_[i]);
    if (added ? !taken.insert(other.domain_[i]).second : known->second != other.domain_[i])
      return false;
  }
  return true;
}

double CollectiveFlows::share(std::size_t source, std::size_t sink) const {
  return loads_ ? loads_->share(source, sink) : 1.0;
}

void CollectiveFlows::append_all_to_all(std::size_t position, std::vector<RankFlow>& flows) const {
  const double message = bytes_ / static_cast<double>(ranks_.size());
  for (std::size_t sink = 0; sink < ranks_.size(); ++sink)
    if (sink != position) {
      const double bytes = message * share(position, sink);
      flows.push_back({ranks_[position], ranks_[sink], bytes});
    }
}

void CollectiveFlows::append_two_phases(std::size_t phase, std::size_t position,
                                        std::vector<RankFlow>& flows) const {
  const double message = bytes_ / static_cast<double>(ranks_.size());
  const std::size_t place = position % width_;
  const std::size_t first = position - place;
  const auto send = [&](std::size_t sink, double bytes) {
    flows.push_back({ranks_[position], ranks_[sink], bytes});
  };
  if (phase == 0) {
    for (std::size_t local = 0; local < width_; ++local) {
      double bytes = 0.0;
      for (std::size_t sink = local; sink < ranks_.size(); sink += width_)
        bytes += message * share(position, sink);
      if (local != place)
        send(first + local, bytes);
    }
    return;
  }
  for (std::size_t sink = place; sink < ranks_.size(); sink += width_) {
    double bytes = 0.0;
    for (std::size_t source = first; source < first + width_; ++source)
      bytes += message * share(source, sink);
    if (sink != position)
      send(sink, bytes);
  }
}

void CollectiveFlows::append_fan_out(std::size_t position, std::vector<RankFlow>& flows) const {
  const double tokens_bytes = bytes_ / static_cast<double>(fan_out_.experts_per_token);
  const double to_rank = tokens_bytes * token_ranks_ / static_cast<double>(ranks_.size());
  const double to_domain = tokens_bytes * token_domains_ / static_cast<double>(domains());
  const std::size_t place = position % width_;
  const std::size_t first = position - place;
  // Own tokens, and those of its counterparts that it forwards; a combine takes the same ways back.
  for (std::size_t sink = first; sink < first + width_; ++sink) {
    double load = 0.0;
    for (std::size_t source = place; source < ranks_.size(); source += width_)
      load += share(source, sink);
    if (sink != position)
      flows.push_back({ranks_[position], ranks_[sink], to_rank * load});
  }
  for (std::size_t domain = 0; domain < ranks_.size(); domain += width_) {
    if (domain == first)
      continue;
    double load = 0.0;
    for (std::size_t sink = domain; sink < domain + width_; ++sink)
      load += share(position, sink) / static_cast<double>(width_);
    flows.push_back({ranks_[position], ranks_[domain + place], to_domain * load});
  }
}

void CollectiveFlows::append_ring(double passed, std::size_t position,
                                  std::vector<RankFlow>& flows) const {
  if (!two_level()) {
    flows.push_back({ranks_[position], ranks_[(position + 1) % ranks_.size()], passed});
    return;
  }
  // As many rings as a domain has ranks; each leaves the domain at another rank.
  const double leaving = passed / static_cast<double>(width_);
  const std::size_t place = position % width_;
  if (width_ > 1)
    flows.push_back(
        {ranks_[position], ranks_[position - place + (place + 1) % width_], passed - leaving});
  flows.push_back({ranks_[position], ranks_[(position + width_) % ranks_.size()], leaving});
}

void CollectiveFlows::append_in_switch(std::size_t position, std::vector<RankFlow>& flows) const {
  const auto width = static_cast<double>(width_);
  const double part = bytes_ / width;
  flows.push_back({ranks_[position], ranks_[position], bytes_ + part});
  if (!two_level())
    return;
  const auto count = static_cast<double>(domains());
  flows.push_back({ranks_[position], ranks_[(position + width_) % ranks_.size()],
                   2.0 * part * (count - 1.0) / count});
}

void CollectiveFlows::append_tree(std::size_t position, std::vector<RankFlow>& flows) const {
  const double buffers = 2.0 * bytes_;
  const auto width = static_cast<double>(width_);
  const auto count = static_cast<double>(domains());
  const std::size_t place = position % width_;
  if (width_ > 1)
    flows.push_back({ranks_[position], ranks_[position - place + (place + 1) % width_],
                     buffers * (width - 1.0) / width});
  if (two_level())
    flows.push_back({ranks_[position], ranks_[(position + width_) % ranks_.size()],
                     buffers / width * (count - 1.0) / count});
}

void CollectiveFlows::append_kind(std::size_t phase, std::size_t position,
                                  std::vector<RankFlow>& flows) const {
  const auto ranks = static_cast<double>(ranks_.size());
  const double passed = row_of(kind_).passes * (bytes_ * (ranks - 1.0) / ranks);
  switch (shape_) {
  case FlowShape::every_pair:
    return append_all_to_all(position, flows);
  case FlowShape::two_phases:
    return phases() == 2 ? append_two_phases(phase, position, flows)
                         : append_all_to_all(position, flows);
  case FlowShape::fan_out:
    return width_ > 0 ? append_fan_out(position, flows) : append_all_to_all(position, flows);
  case FlowShape::switch_sum:
    return width_ > 1 ? append_in_switch(position, flows) : append_ring(passed, position, flows);
  case FlowShape::tree:
    return width_ > 0 ? append_tree(position, flows) : append_ring(passed, position, flows);
  case FlowShape::rings:
    return append_ring(passed, position, flows);
  case FlowShape::one_pair:
    break;
  }
  INVARIANT(false, "{} has no group", collective_name(kind_));
}

void CollectiveFlows::append(std::size_t phase, std::size_t position,
                             std::vector<RankFlow>& flows) const {
  if (ranks_.size() < 2)
    return;
  const std::size_t first = flows.size();
  append_kind(phase, position, flows);
  double inside = 0.0;
  double outside = 0.0;
  const auto stays = [&](const RankFlow& flow) {
    return topology_.domain_of(flow.sink) == domain_[position];
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
  return inside_part(kind_, {static_cast<std::int64_t>(ranks_.size()), members_outside_});
}

PeerCount CollectiveFlows::peers(std::size_t phase, std::size_t position) const {
  const auto size = static_cast<std::int64_t>(ranks_.size());
  if (phases() == 2) {
    const auto width = static_cast<std::int64_t>(width_);
    return phase == 0 ? PeerCount{width - 1, 0} : PeerCount{0, size / width - 1};
  }
  const std::int64_t own = sharers_[position];
  if (is_ring(kind_))
    return {own - 1, outside_peers(kind_, {size, members_outside_})};
  return {own - 1, size - own};
}

} // namespace moesim
