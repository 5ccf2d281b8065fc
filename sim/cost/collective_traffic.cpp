#include "sim/cost/collective_traffic.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace moesim {

namespace {

TierBytes ring_bytes(double passed, const RankGroup& group) {
  if (group.domains == 1)
    return {passed, 0.0};
  const double leaving = passed / static_cast<double>(group.domain_ranks());
  return {passed - leaving, leaving};
}

Bytes whole(double bytes) {
  return {std::llround(bytes)};
}

} // namespace

TierBytes collective_bytes(Collective collective, double size, const RankGroup& group) {
  const auto n = static_cast<double>(group.ranks);
  const auto g = static_cast<double>(group.domain_ranks());
  const auto domains = static_cast<double>(group.domains);
  switch (collective) {
  case Collective::all_to_all:
    return {size * (g - 1.0) / n, size * (n - g) / n};
  case Collective::all_gather:
  case Collective::reduce_scatter:
    return ring_bytes(size * (n - 1.0) / n, group);
  case Collective::all_reduce:
    return ring_bytes(2.0 * size * (n - 1.0) / n, group);
  case Collective::all_reduce_tree:
    return {2.0 * size * (g - 1.0) / g, 2.0 * size * (domains - 1.0) / domains / g};
  case Collective::all_reduce_in_switch:
    return {g > 1.0 ? size * (g + 1.0) / g : 0.0, 2.0 * size * (domains - 1.0) / domains / g};
  case Collective::point_to_point:
    return group.domains == 1 ? TierBytes{size, 0.0} : TierBytes{0.0, size};
  default:
    break;
  }
  INVARIANT(false, "{} has no size", collective_name(collective));
}

std::int64_t outside_peers(Collective collective, const RankGroup& group) {
  switch (collective) {
  case Collective::all_gather:
  case Collective::reduce_scatter:
  case Collective::all_reduce:
    return group.domains - 1;
  case Collective::all_reduce_tree:
  case Collective::all_reduce_in_switch:
    return std::bit_width(static_cast<std::uint64_t>(group.domains - 1));
  default:
    return group.ranks - group.domain_ranks();
  }
}

Collective inside_part(Collective collective, const RankGroup& group) {
  if (group.domains > 1 && collective == Collective::dispatch)
    return Collective::dispatch_forward;
  if (group.domains > 1 && collective == Collective::combine)
    return Collective::combine_forward;
  return collective;
}

Seconds collective_time(const NetworkCost& costs, Collective collective, const TierBytes& bytes,
                        const RankGroup& group, const RankLinks& links) {
  const Collective inside = inside_part(collective, group);
  Seconds start = costs.startup(links.scale_up, inside, group.domain_ranks() - 1);
  Seconds longest;
  if (bytes.scale_up > 0.0) {
    const TierUse use{whole(bytes.scale_up), group.domain_ranks(), links.scale_up_capacity};
    longest = Seconds{bytes.scale_up /
                      (use.capacity.value * costs.efficiency(links.scale_up, inside, use).share)};
  }
  if (group.domains > 1) {
    start += costs.startup(links.scale_out, collective, outside_peers(collective, group));
    const TierUse use{whole(bytes.scale_out), group.domains, links.scale_out_capacity};
    longest = std::max(
        longest,
        Seconds{bytes.scale_out /
                (use.capacity.value * costs.efficiency(links.scale_out, collective, use).share)});
  }
  return start + longest;
}

} // namespace moesim
