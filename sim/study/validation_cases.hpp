#pragma once

#include "sim/study/collective_scenario.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace moesim {

/// One published measurement, with the scenario that predicts it.
struct ValidationCase {
  std::string name;
  std::string tier;
  std::string quantity; ///< a result column, or of a collective time_us, algbw_…, busbw_gbyte_per_s
  double measured = 0.0;
  double tolerance_percent = 0.0; ///< of |predicted / measured − 1|
  std::string source;
  /// Nothing if the scenario is well formed but cannot run.
  std::variant<std::monostate, Scenario, CollectiveScenario> scenario;
  std::string illegal_reason;
};

/// How far off the median case of a tier may be.
struct TierTolerance {
  std::string tier;
  double median_tolerance_percent = 0.0;
  std::string why;
};

/// A file of cases, with the tolerances of its tiers.
struct ValidationSet {
  std::vector<ValidationCase> cases;
  std::vector<TierTolerance> tiers; ///< none if there is no `tiers.csv`
};

/// Reads a table with the columns `case, tier, scenario, quantity, measured, tolerance_percent,
/// source` and optionally `settings`: assignments as of --set, separated by spaces. `scenario` is
/// relative to the file: a training step with `[model]`, or a collective of one size with
/// `[collective]`. A `tiers.csv` beside it, with the columns `tier, median_tolerance_percent, why`,
/// must name every tier. Throws InputError with the place.
ValidationSet read_validation(const std::filesystem::path& cases);

/// "time_us", …: the quantities of a case that is a collective.
const std::vector<std::string>& collective_quantities();

} // namespace moesim
