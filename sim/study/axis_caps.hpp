#pragma once

#include "sim/report/report_table.hpp"
#include "sim/study/sweep_plan.hpp"

#include <string>
#include <vector>

namespace moesim {

/// A sentence for each bandwidth that a sweep raises beyond what it can be used for: NICs above
/// their PCIe, and values from which on something else limits the all-to-alls of experts.
std::vector<std::string> cap_notes(const SweepPlan& plan, const ReportTable& results);

} // namespace moesim
