#pragma once

#include "sim/replay/block_symmetry.hpp"
#include "sim/replay/folding.hpp"
#include "sim/replay/rank_flows.hpp"

#include <cstddef>
#include <vector>

namespace moesim {

/// A flow that stands for all of its class: those from ranks of one class to ranks of one class
/// over links of the same classes. It has the amount and the weight of one of them, and loads a
/// link as often as the class loads each link of that class.
struct ClassFlow {
  std::size_t flow = 0; ///< its place among the flows of the first group
  MachineRoute route;   ///< without a weight
  /// Where a route's shares are no whole numbers, a hop stands as often as its share of `parts`,
  /// and the flow carries its amount divided by `parts`.
  double parts = 1.0;
  /// Of the links of a class some carry it and some another flow instead.
  bool mixed = false;
};

struct FoldedFlows {
  std::vector<ClassFlow> flows;
  /// The links of each class carry as much in all.
  bool even = true;
};

/// The classes of the flows of a phase. `groups`: the flows of every group of ranks of the same
/// classes; those of the first hold one of each class. In the order of the first group's flows.
///
/// `symmetry`, where the classes of ranks and links have it: the groups hold the flows from the
/// first block of a stage only, which stand for all.
FoldedFlows fold_flows(const std::vector<std::vector<RankFlow>>& groups, const DeviceLayout& layout,
                       const Topology& topology, LinkFolding& folding,
                       const std::optional<BlockSymmetry>& symmetry = {});

} // namespace moesim
