#pragma once

#include "sim/platform/topology.hpp"

#include <optional>
#include <vector>

namespace moesim {

/// How many flows of a collective load a link: those that stay in their scale-up domain, and those
/// that leave it.
struct FlowCount {
  LinkId link{};
  double inside = 0.0;
  double outside = 0.0;
};

/// The flows of an all-to-all between `group`, one for each pair, counted by place instead of pair
/// by pair: in time that grows with the ranks and the nodes from the first to the last. As
/// `Topology::find_route` leads them. Links in order, each once, and only those that are loaded.
/// Nothing where no closed form holds: irregular topologies, a ragged last node, NICs on a PCIe
/// switch, a node on several scale-up switches.
std::optional<std::vector<FlowCount>> count_all_to_all(const Topology& topology,
                                                       const std::vector<RankId>& group);

} // namespace moesim
