#pragma once

#include "sim/app/run_options.hpp"
#include "sim/study/sweep_merge.hpp"

namespace moesim {

/// Simulates what the journal of the folder lacks, writes its tables and its report, and prints the
/// summary. The caller keeps the folder. A report names the sweep, not how its points were spread
/// over runs, so that its bytes do not depend on that.
void run_and_print(const SweepPlan& plan, const SweepRequest& request, const SweepOptions& options,
                   const RunOptions& run, const AppContext& context);

} // namespace moesim
