#pragma once

#include "sim/platform/topology.hpp"

#include <optional>
#include <vector>

namespace moesim {

/// Number of flows of a collective on a link: flows inside a scale-up domain, and flows that leave
/// it.
struct FlowCount {
  LinkId link{};
  double inside = 0.0;
  double outside = 0.0;
};

/// Counts the flows of an all-to-all of `group`, one for each pair, on the routes of
/// `Topology::find_route`. It counts by unit instead of pair by pair, so its cost grows with the
/// ranks and with the nodes from the first to the last. Returns the links with flows, in order,
/// each once. Nothing if no closed form holds: irregular topologies, a partly filled last node,
/// NICs on a PCIe switch, a node on several scale-up switches.
std::optional<std::vector<FlowCount>> count_all_to_all(const Topology& topology,
                                                       const std::vector<RankId>& group);

} // namespace moesim
