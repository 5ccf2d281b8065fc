#include "sim/replay/traffic_plan.hpp"

#include <algorithm>
#include <map>

namespace moesim {

PlannedFlow flow_of_load(const BusyLink& load, double mean_amount, LinkFolding& folding) {
  return {{{folding.hop(load.link)}, load.amount / mean_amount}, load.bytes, load.amount};
}

PlannedFlow flow_of_stage_load(RankId member, const BusyLink& load, double mean_amount,
                               LinkFolding& folding) {
  BusyLink moved = load;
  moved.link = folding.stage_link(member, load.link);
  const double scale = folding.real_capacity(moved.link) / folding.real_capacity(load.link);
  moved.bytes *= scale;
  moved.amount *= scale;
  return flow_of_load(moved, mean_amount, folding);
}

Seconds time_alone(const TrafficPhase& phase, const LinkFolding& folding) {
  std::map<std::uint32_t, double> amounts;
  Seconds longest;
  for (const PlannedFlow& flow : phase.flows) {
    for (const MachineRoute::Hop& hop : flow.route.hops)
      amounts[hop.link] += flow.amount * hop.times;
    longest = std::max(longest, Seconds{flow.amount / flow.route.most.value});
  }
  for (const auto& [link, amount] : amounts)
    longest = std::max(longest, Seconds{amount / folding.capacity(link).value});
  return phase.startup + longest;
}

Seconds time_alone(const TrafficPlan& plan, const LinkFolding& folding) {
  Seconds total;
  for (const TrafficPhase& phase : plan.phases)
    total += time_alone(phase, folding);
  return total;
}

} // namespace moesim
