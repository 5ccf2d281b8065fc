#pragma once

#include "sim/report/html_report.hpp"
#include "sim/report/result_table.hpp"
#include "sim/study/sweep_plan.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// The origin of a sweep's report: command, version, seed, and the text of every input.
ReportOrigin sweep_origin(const SweepPlan& plan, const ReportTable& results,
                          const std::string& command_line, const std::string& version);

/// A remark on the points whose groups straddle scale-up domains, and what that costs them at most;
/// none without such points.
std::vector<std::string> straddling_notes(const ReportTable& results);

/// Keeps the origin as `folder`/origin.json, so that `moesim report` can write the report again.
void write_origin(const std::filesystem::path& folder, const ReportOrigin& origin);
/// Throws InputError if the file is missing or broken.
ReportOrigin read_origin(const std::filesystem::path& folder);

/// Renders `folder`/report.html and returns its path.
std::filesystem::path write_report(const std::filesystem::path& folder, const SweepTables& tables,
                                   const ReportOrigin& origin, const std::filesystem::path& assets);

/// A row for each topology (or value of the first axis): points by status, and the least, median
/// and most tokens per second, step time and, where points have twins, savings kept. A table for
/// people has these three in one cell: "least..most (median)".
ResultTable summarise(const ReportTable& results, const std::vector<std::string>& axes,
                      TableFormat format);

} // namespace moesim
