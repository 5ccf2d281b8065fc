#pragma once

#include "sim/metrics/link_utilisation.hpp"
#include "sim/report/result_table.hpp"

namespace moesim {

/// The use of the links over a step as rows of `time_ms,link_class,mean_percent,max_percent,
/// busiest_link`, numbers with 9 significant digits. `time_ms` is the start of the bin.
ResultTable link_table(const std::vector<LinkUtilisation>& rows);

} // namespace moesim
