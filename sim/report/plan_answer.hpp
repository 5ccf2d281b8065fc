#pragma once

#include "sim/report/report_table.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace moesim {

/// A plan without the tables of its keys: "tensor=1 pipeline=8 … micro_batch=1 …".
std::string short_plan(const std::string& plan);

/// The row of the cheapest candidate that meets the deadline, surely or else at the estimate; of
/// the cheapest of all without a deadline, or if none meets it. Nothing if none can train the
/// model.
std::optional<std::size_t> chosen_candidate(const TableReader& results);

/// The answer of a plan as HTML: one sentence on the cheapest candidate that meets the deadline; a
/// line for each candidate and number of GPUs, with intervals; what would change the answer; the
/// assumptions; the plans, how many are as fast, and how far each is from a published step. Numbers
/// link to their rows.
std::string plan_answer_html(const TableReader& results);

} // namespace moesim
