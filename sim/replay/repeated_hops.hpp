#pragma once

#include "sim/replay/machine.hpp"

#include <vector>

namespace moesim {

/// Rewrites routes so that they repeat links less, at the same rates. The times that a flow loads
/// its links may all be divided by a number if its amount is multiplied by it; those of all flows
/// of a link, if its capacity is divided by it. `runs`: how many times the flow of each route runs.
void reduce_repetitions(std::vector<MachineRoute>& routes, const std::vector<double>& runs,
                        std::vector<MachineLink>& links);

} // namespace moesim
