#include "sim/replay/flow_shapes.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

namespace {

/// The number of ranks that each domain of a group holds; 0 if domains differ. Groups are in the
/// order of ranks, so a domain's ranks are consecutive.
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

void append_all_to_all(std::size_t position, const GroupSeats& seats, const FlowAmounts& amounts,
                       std::vector<RankFlow>& flows) {
  const double message = amounts.bytes / static_cast<double>(seats.ranks.size());
  for (std::size_t sink = 0; sink < seats.ranks.size(); ++sink)
    if (sink != position) {
      const double bytes = message * amounts.share(position, sink);
      flows.push_back({seats.ranks[position], seats.ranks[sink], bytes});
    }
}

void append_two_phases(std::size_t phase, std::size_t position, const GroupSeats& seats,
                       const FlowAmounts& amounts, std::vector<RankFlow>& flows) {
  const double message = amounts.bytes / static_cast<double>(seats.ranks.size());
  const std::size_t index = position % seats.width;
  const std::size_t first = position - index;
  const auto send = [&](std::size_t sink, double bytes) {
    flows.push_back({seats.ranks[position], seats.ranks[sink], bytes});
  };
  if (phase == 0) {
    for (std::size_t local = 0; local < seats.width; ++local) {
      double bytes = 0.0;
      for (std::size_t sink = local; sink < seats.ranks.size(); sink += seats.width)
        bytes += message * amounts.share(position, sink);
      if (local != index)
        send(first + local, bytes);
    }
    return;
  }
  for (std::size_t sink = index; sink < seats.ranks.size(); sink += seats.width) {
    double bytes = 0.0;
    for (std::size_t source = first; source < first + seats.width; ++source)
      bytes += message * amounts.share(source, sink);
    if (sink != position)
      send(sink, bytes);
  }
}

void append_fan_out(std::size_t position, const GroupSeats& seats, const FlowAmounts& amounts,
                    std::vector<RankFlow>& flows) {
  const double tokens_bytes =
      amounts.bytes / static_cast<double>(amounts.fan_out.experts_per_token);
  const double to_rank =
      tokens_bytes * amounts.token_ranks / static_cast<double>(seats.ranks.size());
  const double to_domain =
      tokens_bytes * amounts.token_domains / static_cast<double>(seats.domains());
  const std::size_t index = position % seats.width;
  const std::size_t first = position - index;
  // A rank sends its own tokens and forwards those of its counterparts. A combine takes the same
  // paths back.
  for (std::size_t sink = first; sink < first + seats.width; ++sink) {
    double load = 0.0;
    for (std::size_t source = index; source < seats.ranks.size(); source += seats.width)
      load += amounts.share(source, sink);
    if (sink != position)
      flows.push_back({seats.ranks[position], seats.ranks[sink], to_rank * load});
  }
  for (std::size_t domain = 0; domain < seats.ranks.size(); domain += seats.width) {
    if (domain == first)
      continue;
    double load = 0.0;
    for (std::size_t sink = domain; sink < domain + seats.width; ++sink)
      load += amounts.share(position, sink) / static_cast<double>(seats.width);
    flows.push_back({seats.ranks[position], seats.ranks[domain + index], to_domain * load});
  }
}

void append_ring(double passed, std::size_t position, const GroupSeats& seats,
                 std::vector<RankFlow>& flows) {
  if (!seats.two_level()) {
    flows.push_back(
        {seats.ranks[position], seats.ranks[(position + 1) % seats.ranks.size()], passed});
    return;
  }
  // There is one ring for each rank of a domain; each ring leaves the domain at a different rank.
  const double leaving = passed / static_cast<double>(seats.width);
  const std::size_t index = position % seats.width;
  if (seats.width > 1)
    flows.push_back({seats.ranks[position],
                     seats.ranks[position - index + (index + 1) % seats.width], passed - leaving});
  flows.push_back(
      {seats.ranks[position], seats.ranks[(position + seats.width) % seats.ranks.size()], leaving});
}

void append_in_switch(std::size_t position, const GroupSeats& seats, const FlowAmounts& amounts,
                      std::vector<RankFlow>& flows) {
  const auto width = static_cast<double>(seats.width);
  const double part = amounts.bytes / width;
  flows.push_back({seats.ranks[position], seats.ranks[position], amounts.bytes + part});
  if (!seats.two_level())
    return;
  const auto count = static_cast<double>(seats.domains());
  flows.push_back({seats.ranks[position],
                   seats.ranks[(position + seats.width) % seats.ranks.size()],
                   2.0 * part * (count - 1.0) / count});
}

void append_tree(std::size_t position, const GroupSeats& seats, const FlowAmounts& amounts,
                 std::vector<RankFlow>& flows) {
  const double buffers = 2.0 * amounts.bytes;
  const auto width = static_cast<double>(seats.width);
  const auto count = static_cast<double>(seats.domains());
  const std::size_t index = position % seats.width;
  if (seats.width > 1)
    flows.push_back({seats.ranks[position],
                     seats.ranks[position - index + (index + 1) % seats.width],
                     buffers * (width - 1.0) / width});
  if (seats.two_level())
    flows.push_back({seats.ranks[position],
                     seats.ranks[(position + seats.width) % seats.ranks.size()],
                     buffers / width * (count - 1.0) / count});
}

} // namespace

GroupSeats::GroupSeats(std::vector<RankId> group, const Topology& topology)
    : ranks(std::move(group)) {
  domain.reserve(ranks.size());
  for (const RankId rank : ranks)
    domain.push_back(topology.domain_of(rank));
  width = ranks_per_domain(domain);
  const auto [least, most] = std::minmax_element(domain.begin(), domain.end());
  std::vector<std::int64_t> members(static_cast<std::size_t>(*most - *least + 1), 0);
  const auto members_of = [&, first = *least](std::int64_t of_rank) -> std::int64_t& {
    return members[static_cast<std::size_t>(of_rank - first)];
  };
  for (const std::int64_t of_rank : domain)
    if (++members_of(of_rank) == 1)
      ++members_outside;
  sharers.reserve(domain.size());
  for (const std::int64_t of_rank : domain) {
    sharers.push_back(members_of(of_rank));
    members_inside = std::max(members_inside, sharers.back());
  }
}

std::size_t phase_count(FlowShape shape, const GroupSeats& seats) {
  return shape == FlowShape::two_phases && seats.two_level() ? 2 : 1;
}

void append_shape(Collective kind, std::size_t phase, std::size_t position, const GroupSeats& seats,
                  const FlowAmounts& amounts, std::vector<RankFlow>& flows) {
  const CollectiveRow& row = row_of(kind);
  const auto ranks = static_cast<double>(seats.ranks.size());
  const double passed = row.passes * (amounts.bytes * (ranks - 1.0) / ranks);
  switch (row.flows) {
  case FlowShape::every_pair:
    return append_all_to_all(position, seats, amounts, flows);
  case FlowShape::two_phases:
    return phase_count(row.flows, seats) == 2
               ? append_two_phases(phase, position, seats, amounts, flows)
               : append_all_to_all(position, seats, amounts, flows);
  case FlowShape::fan_out:
    return seats.width > 0 ? append_fan_out(position, seats, amounts, flows)
                           : append_all_to_all(position, seats, amounts, flows);
  case FlowShape::switch_sum:
    return seats.width > 1 ? append_in_switch(position, seats, amounts, flows)
                           : append_ring(passed, position, seats, flows);
  case FlowShape::tree:
    return seats.width > 0 ? append_tree(position, seats, amounts, flows)
                           : append_ring(passed, position, seats, flows);
  case FlowShape::rings:
    return append_ring(passed, position, seats, flows);
  case FlowShape::one_pair:
    break;
  }
  INVARIANT(false, "{} has no group", collective_name(kind));
}

} // namespace moesim
