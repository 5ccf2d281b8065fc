#pragma once

#include "sim/replay/traffic_plan.hpp"

#include <vector>

namespace moesim {

/// The rate and the duration of a flow of a phase whose links no other operation uses.
struct LoneFlow {
  BytesPerSecond rate; ///< amount per second
  Seconds duration;    ///< from the end of the phase's start-up
};

/// The flows of a phase alone on its links, in their order, by progressive filling of the links.
/// Weights are in proportion to amounts, so all flows on the link that fills first end together,
/// and last. Flows that end earlier are limited by other links, so the end of one does not change
/// the rates of others: each flow has one rate until its end.
std::vector<LoneFlow> lone_flows(const TrafficPhase& phase, const LinkFolding& folding);

} // namespace moesim
