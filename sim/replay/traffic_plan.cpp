#include "sim/replay/traffic_plan.hpp"

#include <algorithm>
#include <map>

namespace moesim {

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
