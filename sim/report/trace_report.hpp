#pragma once

#include "sim/replay/timeline.hpp"
#include "sim/schedule/step_graph.hpp"

#include <ostream>

namespace moesim {

/// Writes a replay as Chrome trace JSON, for Perfetto: a process for each device, a row for each of
/// its streams, an event for each operation. Times are in microseconds, as the format wants.
void write_trace(const StepGraph& graph, const Timeline& timeline, std::ostream& out);

} // namespace moesim
