#pragma once

#include "sim/report/report_table.hpp"

namespace moesim {

/// The answer to the report's headline question as HTML, from the results: the fastest point
/// and the slowest topology by tokens per second, each with the share of its saving that it keeps
/// and the largest term of the loss; how much the points keep; the busiest resources; and a line
/// for each topology. `axes` are the swept columns, in order.
std::string answer_html(const TableReader& results, const std::vector<std::string>& axes);

} // namespace moesim
