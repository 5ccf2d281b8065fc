#include "sim/replay/rank_flows.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <cmath>

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

/// The probability that none of `drawn` experts, picked among `from`, is one of `part` of them.
double none_of(double part, double from, double drawn) {
  if (from - part < drawn)
    return 0.0;
  double probability = 1.0;
  for (double i = 0.0; i < drawn; i += 1.0)
    probability *= (from - part - i) / (from - i);
  return probability;
}

} // namespace

double expected_parts(const TokenFanOut& fan_out, std::int64_t parts) {
  const auto experts = static_cast<double>(fan_out.experts);
  const auto groups = static_cast<double>(fan_out.groups);
  const auto drawn = static_cast<double>(fan_out.experts_per_token);
  const double eligible = experts * static_cast<double>(fan_out.groups_per_token) / groups;
  const double part = experts / static_cast<double>(parts);
  const double group = experts / groups;
  const auto chosen = static_cast<double>(fan_out.groups_per_token);
  if (part <= group)
    // A part lies within one group, which is among the eligible with probability chosen/groups.
    return static_cast<double>(parts) * (chosen / groups) * (1.0 - none_of(part, eligible, drawn));
  // A part holds several whole groups, of which a hypergeometric number is eligible.
  const double own = part / group;
  double hit = 0.0;
  for (double k = std::max(0.0, chosen - (groups - own)); k <= std::min(own, chosen); k += 1.0) {
    const double ways =
        std::exp(std::lgamma(own + 1) - std::lgamma(k + 1) - std::lgamma(own - k + 1) +
                 std::lgamma(groups - own + 1) - std::lgamma(chosen - k + 1) -
                 std::lgamma(groups - own - chosen + k + 1) - std::lgamma(groups + 1) +
                 std::lgamma(chosen + 1) + std::lgamma(groups - chosen + 1));
    hit += ways * (1.0 - none_of(k * group, eligible, drawn));
  }
  return static_cast<double>(parts) * hit;
}

CollectiveFlows::CollectiveFlows(const CollectiveWork& work, std::vector<RankId> ranks,
                                 const Topology& topology)
    : work_(work), ranks_(std::move(ranks)) {
  INVARIANT(!work.loads || work.loads->ranks() == ranks_.size(), "loads of {} ranks for {}",
            work.loads->ranks(), ranks_.size());
  for (const RankId rank : ranks_)
    domain_.push_back(topology.domain_of(rank));
  width_ = ranks_per_domain(domain_);
}

double CollectiveFlows::share(std::size_t source, std::size_t sink) const {
  return work_.loads ? work_.loads->share(source, sink) : 1.0;
}

void CollectiveFlows::append_all_to_all(std::size_t position, std::vector<RankFlow>& flows) const {
  const double message =
      static_cast<double>(work_.bytes.value) / static_cast<double>(ranks_.size());
  for (std::size_t sink = 0; sink < ranks_.size(); ++sink)
    if (sink != position) {
      const double bytes = message * share(position, sink);
      flows.push_back({ranks_[position], ranks_[sink], bytes, bytes});
    }
}

void CollectiveFlows::append_hierarchical(std::size_t phase, std::size_t position,
                                          std::vector<RankFlow>& flows) const {
  const double message =
      static_cast<double>(work_.bytes.value) / static_cast<double>(ranks_.size());
  const std::size_t place = position % width_;
  const std::size_t first = position - place;
  const auto send = [&](std::size_t sink, double bytes) {
    flows.push_back({ranks_[position], ranks_[sink], bytes, bytes});
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
  const double copies = static_cast<double>(work_.fan_out.experts_per_token);
  const double tokens_bytes = static_cast<double>(work_.bytes.value) / copies;
  const auto size = static_cast<std::int64_t>(ranks_.size());
  const double to_rank =
      tokens_bytes * expected_parts(work_.fan_out, size) / static_cast<double>(size);
  const auto count = static_cast<std::int64_t>(domains());
  const double to_domain =
      tokens_bytes * expected_parts(work_.fan_out, count) / static_cast<double>(count);
  const std::size_t place = position % width_;
  const std::size_t first = position - place;
  // Own tokens, and those of its counterparts that it forwards; a combine takes the same ways back.
  for (std::size_t sink = first; sink < first + width_; ++sink) {
    double load = 0.0;
    for (std::size_t source = place; source < ranks_.size(); source += width_)
      load += share(source, sink);
    if (sink != position)
      flows.push_back({ranks_[position], ranks_[sink], to_rank * load, to_rank * load});
  }
  for (std::size_t domain = 0; domain < ranks_.size(); domain += width_) {
    if (domain == first)
      continue;
    double load = 0.0;
    for (std::size_t sink = domain; sink < domain + width_; ++sink)
      load += share(position, sink) / static_cast<double>(width_);
    flows.push_back({ranks_[position], ranks_[domain + place], to_domain * load, to_domain * load});
  }
}

void CollectiveFlows::append_ring(double passed, double message, std::size_t position,
                                  std::vector<RankFlow>& flows) const {
  if (!two_level()) {
    flows.push_back({ranks_[position], ranks_[(position + 1) % ranks_.size()], passed, message});
    return;
  }
  // As many rings as a domain has ranks; each leaves the domain at another rank.
  const double leaving = passed / static_cast<double>(width_);
  const double ring_message = message / static_cast<double>(width_);
  const std::size_t place = position % width_;
  if (width_ > 1)
    flows.push_back({ranks_[position], ranks_[position - place + (place + 1) % width_],
                     passed - leaving, ring_message});
  flows.push_back(
      {ranks_[position], ranks_[(position + width_) % ranks_.size()], leaving, ring_message});
}

void CollectiveFlows::append_in_switch(std::size_t position, std::vector<RankFlow>& flows) const {
  const auto bytes = static_cast<double>(work_.bytes.value);
  const auto width = static_cast<double>(width_);
  const double part = bytes / width;
  flows.push_back({ranks_[position], ranks_[position], bytes + part, part});
  if (!two_level())
    return;
  const auto count = static_cast<double>(domains());
  flows.push_back({ranks_[position], ranks_[(position + width_) % ranks_.size()],
                   2.0 * part * (count - 1.0) / count, part / count});
}

void CollectiveFlows::append(std::size_t phase, std::size_t position,
                             std::vector<RankFlow>& flows) const {
  if (ranks_.size() < 2)
    return;
  const auto ranks = static_cast<double>(ranks_.size());
  const double part = static_cast<double>(work_.bytes.value) / ranks;
  switch (work_.kind) {
  case Collective::dispatch:
  case Collective::combine:
    if (width_ > 0)
      return append_fan_out(position, flows);
    return append_all_to_all(position, flows);
  case Collective::all_to_all:
    if (phases() == 2)
      return append_hierarchical(phase, position, flows);
    return append_all_to_all(position, flows);
  case Collective::all_reduce_in_switch:
    if (width_ > 1)
      return append_in_switch(position, flows);
    [[fallthrough]];
  case Collective::all_reduce:
  case Collective::all_reduce_tree:
    return append_ring(2.0 * part * (ranks - 1.0), part, position, flows);
  case Collective::all_gather:
  case Collective::reduce_scatter:
  case Collective::point_to_point:
    break;
  }
  append_ring(part * (ranks - 1.0), part, position, flows);
}

std::vector<RankFlow> CollectiveFlows::all(std::size_t phase) const {
  std::vector<RankFlow> flows;
  for (std::size_t position = 0; position < ranks_.size(); ++position)
    append(phase, position, flows);
  return flows;
}

PeerCount CollectiveFlows::peers(std::size_t phase, std::size_t position) const {
  const auto size = static_cast<std::int64_t>(ranks_.size());
  if (phases() == 2) {
    const auto width = static_cast<std::int64_t>(width_);
    return phase == 0 ? PeerCount{width - 1, 0} : PeerCount{0, size / width - 1};
  }
  const std::int64_t inside = std::count(domain_.begin(), domain_.end(), domain_[position]) - 1;
  return {inside, size - 1 - inside};
}

} // namespace moesim
