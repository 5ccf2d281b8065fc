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
  const CollectiveRow& row = row_of(collective);
  INVARIANT(row.has_size, "{} has no size", row.name);
  switch (row.flows) {
  case FlowShape::every_pair:
    return {size * (g - 1.0) / n, size * (n - g) / n};
  case FlowShape::two_phases:
    return {size * (g - 1.0) / g, size * (n - g) / n};
  case FlowShape::rings:
    return ring_bytes(row.passes * size * (n - 1.0) / n, group);
  case FlowShape::tree:
    return {2.0 * size * (g - 1.0) / g, 2.0 * size * (domains - 1.0) / domains / g};
  case FlowShape::switch_sum:
    return {g > 1.0 ? size * (g + 1.0) / g : 0.0, 2.0 * size * (domains - 1.0) / domains / g};
  case FlowShape::one_pair:
    return group.domains == 1 ? TierBytes{size, 0.0} : TierBytes{0.0, size};
  case FlowShape::fan_out:
    break;
  }
  INVARIANT(false, "{} has no size", row.name);
}

std::int64_t outside_peers(Collective collective, const RankGroup& group) {
  switch (row_of(collective).flows) {
  case FlowShape::rings:
    return group.domains - 1;
  case FlowShape::tree:
  case FlowShape::switch_sum:
    return std::bit_width(static_cast<std::uint64_t>(group.domains - 1));
  case FlowShape::every_pair:
  case FlowShape::two_phases:
  case FlowShape::fan_out:
  case FlowShape::one_pair:
    return group.ranks - group.domain_ranks();
  }
  INVARIANT(false, "flows of {}", collective_name(collective));
}

Collective inside_part(Collective collective, const RankGroup& group) {
  return group.domains > 1 ? row_of(collective).inside : collective;
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
