#pragma once

#include "sim/report/report_table.hpp"

#include <string>

namespace moesim {

/// Whether a table holds the results of a plan file: candidates with days and cost.
bool is_plan(const TableReader& results);

/// A plan without the tables of its keys: "tensor=1 pipeline=8 … micro_batch=1 …".
std::string short_plan(const std::string& plan);

/// The answer of a plan as HTML: which candidate is cheapest, which fastest, which meet the
/// deadline, with intervals; the assumptions; a line for each candidate and number of GPUs; their
/// plans, how many are as fast, and how far each is from a published step.
std::string plan_answer_html(const TableReader& results);

} // namespace moesim
