#pragma once

#include "sim/replay/step_traffic.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace moesim {

/// Times nearer than this count as equal: rounding may let a flow end just after the next begins.
inline constexpr double same_moment_s = 1e-12;
/// The end of a flow in the machine, which is not known before.
inline constexpr double not_known = std::numeric_limits<double>::infinity();

/// Flows of a replay that may be active, by the links that they load.
class FlowsUnderWay {
public:
  /// `routes`: routes of all flows of the traffic. `links`: number of links of the replay. The
  /// other arguments must outlive this object.
  FlowsUnderWay(const StepTraffic& traffic, const std::vector<MachineRoute>& routes,
                std::size_t links)
      : traffic_(traffic), routes_(routes), spans_on_link_(links) {}

  /// Operations with active flows on the links of a phase that begins at `now` (s). Valid until the
  /// next call.
  const std::vector<OpId>& find_met(const StepPhase& phase, double now, const Timeline& timeline);
  /// Adds the flows of a phase that begins at `now` (s) to the timeline. Returns the index of the
  /// first. Their ends are known if the phase is alone on its links.
  std::uint32_t begin(OpId op, const StepPhase& phase, double now, bool alone, Timeline& timeline);

private:
  const StepTraffic& traffic_;
  const std::vector<MachineRoute>& routes_;
  std::vector<OpId> met_;
  std::vector<std::vector<std::uint32_t>> spans_on_link_; ///< indices of Timeline::flows
};

} // namespace moesim
