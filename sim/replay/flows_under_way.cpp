#include "sim/replay/flows_under_way.hpp"

#include <algorithm>

namespace moesim {

const std::vector<OpId>& FlowsUnderWay::find_met(const StepPhase& phase, double now,
                                                 const Timeline& timeline) {
  met_.clear();
  for (std::uint32_t flow = 0; flow < phase.flow_count; ++flow)
    for (const MachineRoute::Hop& hop : routes_[phase.first_flow + flow].hops) {
      std::vector<std::uint32_t>& spans = spans_on_link_[hop.link];
      std::erase_if(spans, [&](std::uint32_t span) {
        return timeline.flows[span].finish.value <= now + same_moment_s;
      });
      for (const std::uint32_t span : spans)
        if (const OpId other = timeline.flows[span].op;
            std::find(met_.begin(), met_.end(), other) == met_.end())
          met_.push_back(other);
    }
  return met_;
}

std::uint32_t FlowsUnderWay::begin(OpId op, const StepPhase& phase, double now, bool alone,
                                   Timeline& timeline) {
  const auto first = static_cast<std::uint32_t>(timeline.flows.size());
  for (std::uint32_t flow = 0; flow < phase.flow_count; ++flow) {
    const std::uint32_t number = phase.first_flow + flow;
    const Seconds lone = traffic_.flows()[number].lone.duration;
    timeline.flows.push_back(
        {op, number, Seconds{now}, Seconds{alone ? now + lone.value : not_known}});
    for (const MachineRoute::Hop& hop : routes_[number].hops)
      spans_on_link_[hop.link].push_back(first + flow);
  }
  return first;
}

} // namespace moesim
