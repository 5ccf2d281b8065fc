#pragma once

#include "sim/replay/block_symmetry.hpp"
#include "sim/replay/folding.hpp"
#include "sim/replay/rank_flows.hpp"

#include <cstddef>
#include <vector>

namespace moesim {

/// A flow that represents its class: all flows from ranks of one class to ranks of one class over
/// links of the same classes. It has the amount and the weight of one of them. It loads a link as
/// many times as the class loads each link of the link class.
struct ClassFlow {
  std::size_t flow = 0; ///< its index among the flows of the first group
  MachineRoute route;   ///< without a weight
  /// Divisor of the flow's amount if a route's shares are not whole numbers. A hop then loads its
  /// link share × `parts` times.
  double parts = 1.0;
  /// Whether the flow loads only some links of a link class, and another flow loads the others.
  bool mixed = false;
};

struct FoldedFlows {
  std::vector<ClassFlow> flows;
  /// Whether all links of a class carry the same total.
  bool even = true;
};

/// The classes of the flows of a phase, in the order of the first group's flows. `groups`: the
/// flows of every group of ranks with the same classes. The first group must have at least one flow
/// of each class.
///
/// `symmetry` must hold for the classes of ranks and links too. The groups then contain only flows
/// from the first block of a stage, which represent all blocks.
FoldedFlows fold_flows(const std::vector<std::vector<RankFlow>>& groups, const DeviceLayout& layout,
                       const Topology& topology, LinkFolding& folding,
                       const std::optional<BlockSymmetry>& symmetry = {});

} // namespace moesim
