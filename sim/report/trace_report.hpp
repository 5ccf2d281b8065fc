#pragma once

#include "sim/replay/timeline.hpp"
#include "sim/schedule/step_graph.hpp"

#include <ostream>

namespace moesim {

/// Writes a replay in the Trace Event Format (JSON), which Perfetto and chrome://tracing open: a
/// process for each device; below it a row for each stream that did anything, and a further row
/// ("pipeline 2") for what ran at the same time as the operations of the first. Times are in
/// microseconds, rounded to whole nanoseconds.
///
/// An operation is one complete event (`X`) on each of its devices, one that takes no time an event
/// of duration 0; one that the timeline says never ran has none. A pipeline transfer stands on its
/// sender's row, and an arrow (`s`, `f`) leads from its start to the first operation on the
/// receiving device that waits for it. There is no arrow from or to an event of duration 0, as
/// viewers find nothing there to attach it to.
///
/// Events go to `out` one by one; what is kept in memory are a few numbers for each. A failed write
/// shows in the state of `out`.
void write_trace(const StepGraph& graph, const Timeline& timeline, std::ostream& out);

} // namespace moesim
