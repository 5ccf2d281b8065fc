#pragma once

#include "sim/report/report_table.hpp"
#include "sim/report/result_table.hpp"
#include "sim/study/plan_file.hpp"
#include "sim/study/sweep.hpp"

namespace moesim {

/// Searches the best plan of each candidate that the journal lacks and writes `folder`/results.csv:
/// `status`, `reason`, the columns of the candidates, of a step, and plan_columns. The same bytes
/// whatever the number of jobs and however often it was interrupted.
ReportTable run_plan(const PlanFile& file, const SweepOptions& options,
                     const SweepObserver& observe);

/// A row a candidate and number of GPUs: days and cost with their intervals, verdict.
ResultTable plan_summary(const ReportTable& results);
/// The same for people: a table at most 120 columns wide, then a verdict and a plan a candidate.
std::string plan_text(const ReportTable& results);

} // namespace moesim
