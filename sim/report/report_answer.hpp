#pragma once

#include "sim/report/report_table.hpp"

namespace moesim {

/// The answer to the report's headline question as HTML, from the results: the remaining share of
/// the saving, the largest losses, the busiest resources, the best and the worst point, and a line
/// for each topology. `axes` are the swept columns, in order.
std::string answer_html(const TableReader& results, const std::vector<std::string>& axes);

} // namespace moesim
