#pragma once

#include "sim/replay/step_traffic.hpp"
#include "sim/schedule/runs.hpp"

namespace moesim {

/// Tells which operations may use the links of each communication while it is under way. Of its
/// own devices only detached ones may: the others wait for it. `traffic` plans the communications.
std::vector<Contention> find_contention(const StepGraph& graph,
                                        const std::vector<Communication>& communications,
                                        const Topology& topology, StepTraffic& traffic);

} // namespace moesim
