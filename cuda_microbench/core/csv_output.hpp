#pragma once

#include "cuda_microbench/core/results.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim::microbench {

/// The results as CSV: `provenance` and the cases that were skipped or throttled as comment lines,
/// then `<columns>,time_us,noise_percent,samples,sm_clock_mhz` and a row for each case.
std::string csv_text(const Results& results, const std::vector<std::string>& provenance);

/// The results for people: aligned columns, with GB/s and TFLOP/s of the declared work.
std::string table_text(const Results& results);

/// Writes `text` to `folder`/`name`.csv; makes the folder. A file of that name is replaced at once.
/// Throws std::runtime_error if it cannot.
void write_csv(const std::filesystem::path& folder, const std::string& name,
               const std::string& text);

} // namespace moesim::microbench
