#pragma once

#include "sim/platform/topology.hpp"

#include <optional>
#include <vector>

namespace moesim {

/// How many flows of a collective load each link, by LinkId: those that stay in their scale-up
/// domain, and those that leave it.
struct FlowCounts {
  std::vector<double> inside;
  std::vector<double> outside;
};

/// The flows of an all-to-all between `group`, one for each pair, counted by place instead of pair
/// by pair: in time that grows with ranks and links. As `Topology::find_route` leads them. Nothing
/// where no closed form holds: irregular topologies, a ragged last node, NICs on a PCIe switch, a
/// node on several scale-up switches.
std::optional<FlowCounts> count_all_to_all(const Topology& topology,
                                           const std::vector<RankId>& group);

} // namespace moesim
