#include "sim/replay/timeline.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace moesim {

bool stood_for_all(const Timeline& timeline) {
  if (timeline.uneven)
    return false;
  // The replay's clock has ticks. Operation and start identify a phase.
  constexpr Seconds tick{1e-9};
  constexpr double rounding = 1e-9;
  std::map<std::pair<OpId, double>, Seconds> ends;
  for (const FlowSpan& flow : timeline.flows) {
    if (!timeline.mixed[flow.load])
      continue;
    const auto [known, added] = ends.try_emplace({flow.op, flow.start.value}, flow.finish);
    const Seconds most = std::max(tick, (flow.finish - flow.start) * rounding);
    if (!added && (known->second - flow.finish > most || flow.finish - known->second > most))
      return false;
  }
  return true;
}

} // namespace moesim
