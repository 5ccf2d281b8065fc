#pragma once

#include "sim/replay/machine.hpp"

#include <vector>

namespace moesim {

/// Rewrites the routes of all flows of a replay so that they list fewer links, at the same rates.
/// `runs`: number of runs of each route's flow.
///
/// - Of links that the same flows load in the same proportion, only the one that fills first stays.
/// - Links repeat less. The times that a flow loads its links may all be divided by a number if its
///   amount is multiplied by it; those of all flows of a link, if its capacity is divided by it.
void reduce_routes(std::vector<MachineRoute>& routes, const std::vector<double>& runs,
                   std::vector<MachineLink>& links);

} // namespace moesim
