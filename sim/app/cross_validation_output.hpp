#pragma once

#include "sim/report/result_table.hpp"
#include "sim/study/validation.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// Options of `validate --cross`.
struct CrossOptions {
  std::filesystem::path slopes;  ///< table of slopes: read if it exists, else written; empty: none
  std::filesystem::path present; ///< predictions by the constants as they are; empty: none
  std::filesystem::path constants; ///< table of the fitted constants to write; empty: none
  std::filesystem::path summary;   ///< table of the statistics to write; empty: none
  std::filesystem::path intervals; ///< table of the intervals to write; empty: none
};

/// Cross-validates the cases that have a fold, prints progress, fitted constants and statistics on
/// stderr, writes the tables of `options`, and returns the steps with their predictions. Throws
/// InputError if no case has a fold, or a table cannot be read or written.
std::pair<std::vector<ValidationCase>, std::vector<CaseResult>>
cross_validate_and_print(const std::vector<ValidationCase>& cases, const CrossOptions& options,
                         const std::filesystem::path& calibration, std::size_t jobs);

} // namespace moesim
