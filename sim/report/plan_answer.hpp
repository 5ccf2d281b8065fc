#pragma once

#include "sim/report/report_table.hpp"

namespace moesim {

/// Whether a table holds the results of a plan file: candidates with days and cost.
bool is_plan(const TableReader& results);

/// The answer of a plan as HTML: which candidate is cheapest, which fastest, which meet the
/// deadline, with intervals; the assumptions; a line for each candidate and number of GPUs.
std::string plan_answer_html(const TableReader& results);

} // namespace moesim
