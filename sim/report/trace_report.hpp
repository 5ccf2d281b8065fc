#pragma once

#include "sim/replay/timeline.hpp"
#include "sim/schedule/step_graph.hpp"

#include <ostream>

namespace moesim {

/// Writes a replay in the Trace Event Format (JSON), which Perfetto and chrome://tracing open: a
/// process for each device; below it a row for each stream with operations, and a further row
/// ("pipeline 2") for operations that overlap those of the first. Times are in microseconds,
/// rounded to whole nanoseconds.
///
/// An operation is one complete event (`X`) on each of its devices, of duration 0 if it takes no
/// time. An operation that the timeline did not run has no event. A pipeline transfer is on its
/// sender's row; an arrow (`s`, `f`) leads from its start to the first operation on the receiving
/// device that waits for it. An event of duration 0 has no arrows, as viewers cannot attach them.
///
/// Events go to `out` one by one; memory holds a few numbers for each. A failed write shows in the
/// state of `out`.
void write_trace(const StepGraph& graph, const Timeline& timeline, std::ostream& out);

} // namespace moesim
