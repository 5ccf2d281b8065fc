#pragma once

#include "sim/study/sensitivity.hpp"
#include "sim/study/sweep.hpp"

#include <filesystem>
#include <string>

namespace moesim {

/// The effects of the constants on a column as a table: those of `moesim sensitivity`, after
/// `column` and `base`, the column as the constants are, and before `measurement`, the benchmark
/// that measures the constant.
ReportTable sensitivity_rows(const SensitivityTable& found, const std::string& column);

/// Writes `folder`/sensitivity.csv: `of`, the point that the report names first, then the effects
/// of the constants on its step time, under its plan, as sensitivity_rows. Without a point that
/// ran, a table without rows. `results` is what the run of the same plan and options returned.
ReportTable write_sensitivity(const SweepPlan& plan, const ReportTable& results,
                              const SweepOptions& options);

/// Removes a folder's sensitivity.csv, which a run without it would leave to a later report.
void remove_sensitivity(const std::filesystem::path& folder);

/// The sensitivity.csv of a folder; an empty table if there is none. Throws InputError if
/// malformed.
ReportTable read_sensitivity(const std::filesystem::path& folder);

} // namespace moesim
