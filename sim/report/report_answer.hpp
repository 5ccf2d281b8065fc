#pragma once

#include "sim/report/report_table.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The row that the report of a sweep or of a plan names first: the fastest point, or the cheapest
/// candidate that meets the deadline. Nothing if none ran.
std::optional<std::size_t> answered_row(const TableReader& results);

/// The answer of a sweep as HTML: one sentence on the fastest point, with its interval; each
/// topology at its fastest and what it costs; which change of one axis would change the throughput
/// most; what holds over all points. Numbers link to their rows. `axes` are the swept columns, in
/// order.
std::string answer_html(const TableReader& results, const std::vector<std::string>& axes);

} // namespace moesim
