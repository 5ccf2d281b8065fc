#pragma once

#include "sim/study/collective_scenario.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace moesim {

/// Why a case cannot be predicted: its scenario is well formed but illegal, or a cell or the
/// scenario of the case is unreadable.
struct CaseFailure {
  std::string status; ///< "illegal" or "unreadable"; empty: it can be predicted
  std::string reason;
};

/// One published measurement, with the scenario that predicts it.
struct ValidationCase {
  std::string name;
  std::string tier;
  std::string group; ///< cases that predictions should order: plans of one model on one GPU
  /// Plans whose order somebody needs: of one model, cluster, batch, sequence and precision,
  /// measured by one publication with one software.
  std::string comparison;
  /// Source of a training step in cross-validation: publisher, framework generation and cluster.
  std::string fold;
  std::string plan;     ///< its scenario and settings, as text of the file
  std::string quantity; ///< a result column; for a collective time_us, algbw_…, busbw_gbyte_per_s
  double measured = 0.0;
  std::string measured_status;    ///< for the quantity `status`: "ok" or "out-of-memory"
  double tolerance_percent = 0.0; ///< bound of |predicted / measured − 1|
  std::string source;
  /// Nothing if the case has a failure.
  std::variant<std::monostate, Scenario, CollectiveScenario> scenario;
  CaseFailure failure;
};

/// The quantity of a case that tells whether a step fits and runs.
constexpr const char* status_quantity = "status";

/// The quantity of the cases of a comparison: of two plans, the better one has more.
constexpr const char* comparable_quantity = "tokens_per_s_per_gpu";

/// The other quantity that a case with a fold may have: a time, which is better if it is less.
constexpr const char* step_time_quantity = "step_time_ms";

/// The tolerances of a tier; a missing value means no check.
struct TierTolerance {
  std::string tier;
  std::optional<double> median_tolerance_percent; ///< bound of the median |error|
  std::optional<double> p90_tolerance_percent;    ///< bound of the 90th percentile of |error|
  std::optional<double> kendall_tau_min;          ///< bound for each group of 5 cases or more
  std::string why;
};

/// A file of cases, with the tolerances of its tiers.
struct ValidationSet {
  std::vector<ValidationCase> cases;
  std::vector<TierTolerance> tiers; ///< none if there is no `tiers.csv`
};

/// Reads a table with the columns `case, tier, scenario, quantity, measured, tolerance_percent,
/// source` and optionally `group`, `comparison`, `fold` and `settings`: assignments as of --set,
/// separated by spaces. Cases of a comparison must agree in model, cluster, GPUs, batch, sequence
/// and precision. `scenario` is relative to the file: a training step with `[model]`, or a
/// collective of one size with `[collective]`. A `tiers.csv` beside it, with the columns `tier,
/// median_tolerance_percent, p90_tolerance_percent, kendall_tau_min, why`, must name every tier.
/// A case whose cells or scenario cannot be read is a case with its failure. Throws InputError,
/// with the position, if the table or `tiers.csv` is malformed.
ValidationSet read_validation(const std::filesystem::path& cases);

/// "time_us", …: the quantities of a case that is a collective.
const std::vector<std::string>& collective_quantities();

} // namespace moesim
