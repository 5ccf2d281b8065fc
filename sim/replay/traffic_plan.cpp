#include "sim/replay/traffic_plan.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

namespace moesim {

PlannedFlow flow_of_load(const BusyLink& load, double mean_amount, LinkFolding& folding) {
  return {{{folding.hop(load.link)}, load.amount / mean_amount}, load.bytes, load.amount};
}

PlannedFlow flow_of_stage_load(RankId member, const BusyLink& load, double mean_amount,
                               LinkFolding& folding) {
  BusyLink moved = load;
  moved.link = folding.stage_link(member, load.link);
  const double scale = folding.real(moved.link).capacity / folding.real(load.link).capacity;
  moved.bytes *= scale;
  moved.amount *= scale;
  return flow_of_load(moved, mean_amount, folding);
}

namespace {

/// The longest time that a link, or a flow at its own limit, needs for a phase.
struct Longest {
  Seconds time;
  std::optional<std::uint32_t> link =
      std::nullopt; ///< the first of equals; nothing: a flow's limit
};

Longest longest_of(const TrafficPhase& phase, const LinkFolding& folding) {
  constexpr double rounding = 1e-9;
  std::map<std::uint32_t, double> amounts;
  for (const PlannedFlow& flow : phase.flows)
    for (const MachineRoute::Hop& hop : flow.route.hops)
      amounts[hop.link] += flow.amount * hop.times;
  Longest longest;
  for (const auto& [link, amount] : amounts)
    if (const Seconds time{amount / folding.capacity(link).value}; time > longest.time)
      longest = {time, link};
  for (const PlannedFlow& flow : phase.flows) {
    const Seconds time{flow.amount / flow.route.most.value};
    if (time > longest.time * (1.0 + rounding))
      longest.link = std::nullopt;
    longest.time = std::max(longest.time, time);
  }
  return longest;
}

std::string cause_of(const Longest& longest, const TrafficPlan& plan, const LinkFolding& folding) {
  const LinkKind kind = longest.link ? folding.real(folding.originals()[*longest.link]).kind
                                     : LinkKind::scale_up_egress;
  const bool kernel = !longest.link || plan.by_kernel[is_scale_up(kind) ? 0 : 1];
  return kernel ? "the kernel's own rate" : row_of(kind).title;
}

} // namespace

std::string limit_of(const TrafficPlan& plan, const LinkFolding& folding) {
  std::map<std::string, Seconds> causes;
  for (const TrafficPhase& phase : plan.phases) {
    causes["start-up"] += phase.startup;
    const Longest longest = longest_of(phase, folding);
    causes[cause_of(longest, plan, folding)] += longest.time;
  }
  return std::max_element(causes.begin(), causes.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

Seconds time_alone(const TrafficPhase& phase, const LinkFolding& folding) {
  return phase.startup + longest_of(phase, folding).time;
}

Seconds time_alone(const TrafficPlan& plan, const LinkFolding& folding) {
  Seconds total;
  for (const TrafficPhase& phase : plan.phases)
    total += time_alone(phase, folding);
  return total;
}

} // namespace moesim
