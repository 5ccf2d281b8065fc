#pragma once

#include "sim/report/report_table.hpp"

#include <string>

namespace moesim {

/// The answer of `moesim compare` as HTML: how much shorter B's step is, and which part makes most
/// of the difference. The row `total` is the last one.
std::string comparison_answer_html(const TableReader& results);

/// The answer of `moesim sensitivity`: how far the constant of the largest effect moves the column.
std::string sensitivity_answer_html(const TableReader& results);

/// The answer of `moesim break-even`: the value at which the condition flips, with its interval.
std::string break_even_answer_html(const TableReader& results);

/// The same over two knobs: the crossing of the first for each value of the other.
std::string contour_answer_html(const TableReader& results);

/// The constants of the largest effects on a step, as a table under a heading; "" without rows.
std::string constants_table(const ReportTable& sensitivity);

} // namespace moesim
