#pragma once

#include "sim/replay/traffic_plan.hpp"

#include <vector>

namespace moesim {

/// A flow of a phase while no other operation uses the phase's links.
struct LoneFlow {
  BytesPerSecond rate; ///< of its amount
  Seconds duration;    ///< from the end of the phase's start-up
};

/// The flows of a phase that has its links to itself, in their order, by progressive filling of the
/// links. Weights are in proportion to amounts, so the flows of the link that fills first end
/// together, and last. Flows that end before them were limited by other links, so the rest keep
/// their rates: each flow has one rate until its end.
std::vector<LoneFlow> lone_flows(const TrafficPhase& phase, const LinkFolding& folding);

} // namespace moesim
