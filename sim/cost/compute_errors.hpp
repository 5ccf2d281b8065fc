#pragma once

#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace moesim {

/// What a table is asked for, and so how wrong its answer may be.
enum class ErrorCase {
  inside,        ///< between measured shapes: each measured shape, left out, from the others
  edge,          ///< beyond the largest size: the largest, from the next smaller one
  other_experts, ///< experts of other sizes: each layer kind, left out, from the nearest other
  other_device   ///< another GPU kind: each measured kind, from the tables of each other
};

/// The names in `compute_errors.csv`.
inline constexpr auto error_case_names =
    std::to_array<Named<ErrorCase>>({{ErrorCase::inside, "inside"},
                                     {ErrorCase::edge, "edge"},
                                     {ErrorCase::other_experts, "other-experts"},
                                     {ErrorCase::other_device, "other-device"}});
static_assert(names_each(error_case_names));

/// How far a table is off in one case.
struct TableError {
  std::string device; ///< whose table; "any" for `other_device`
  std::string table;  ///< "gemm", "expert", "attention"
  Precision precision = Precision::bf16;
  ErrorCase error_case = ErrorCase::inside;
  std::size_t rows = 0; ///< that were left out, one at a time
  double median_percent = 0.0;
  double p90_percent = 0.0; ///< nine in ten rows are off by at most that
};

/// The errors that `moesim calibrate` found, `calibration/compute_errors.csv`.
class ComputeErrors {
public:
  /// Throws InputError if the file is malformed; a missing file has no rows.
  static ComputeErrors read(const std::filesystem::path& path);

  /// The 90th percentile of a case as a share. Throws InputError, naming the command that measures
  /// it, if the file lacks it.
  double p90(const std::string& device, const std::string& table, Precision precision,
             ErrorCase error_case) const;

private:
  std::string name_;
  std::map<std::tuple<std::string, std::string, Precision, ErrorCase>, double> p90_;
};

/// The text of `compute_errors.csv`.
std::string compute_errors_csv(const std::vector<TableError>& errors);

} // namespace moesim
