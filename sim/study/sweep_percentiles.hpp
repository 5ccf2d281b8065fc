#pragma once

#include "sim/report/report_table.hpp"
#include "sim/report/result_table.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// Over the seeds of a sweep, a row for each combination of its other axes, in the order of the
/// results: those axes, `seeds` (that ran), `out_of_memory_percent` of all, and of step_time_ms,
/// memory_gib_per_gpu, dropped_tokens_percent and load_max_over_mean the percentiles `_p50`, `_p95`
/// and `_p99` (nearest rank). No rows where `routing.seed` is no axis.
ResultTable seed_percentiles(const ReportTable& results, const std::vector<std::string>& axes);

/// Writes them to `folder`/percentiles.csv where `routing.seed` is an axis, and removes what is
/// there where it is none.
ReportTable write_percentiles(const ReportTable& results, const std::vector<std::string>& axes,
                              const std::filesystem::path& folder);

/// The percentiles.csv of a folder; an empty table if there is none. Throws InputError if
/// malformed.
ReportTable read_percentiles(const std::filesystem::path& folder);

} // namespace moesim
