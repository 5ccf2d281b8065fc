#pragma once

#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace moesim {

/// The distance of a query from the measurements of a table, which decides its error.
enum class ErrorCase {
  inside,        ///< between measured shapes: error of each measured shape, predicted from the
                 ///< others
  edge,          ///< beyond the largest size: error of the largest, predicted from the next smaller
                 ///< one
  other_experts, ///< other expert sizes: error of each layer kind, predicted from the nearest other
  other_device   ///< another GPU kind: error of each measured kind, predicted from the tables of
                 ///< each other
};

/// The names in `compute_errors.csv`.
inline constexpr auto error_case_names =
    std::to_array<Named<ErrorCase>>({{ErrorCase::inside, "inside"},
                                     {ErrorCase::edge, "edge"},
                                     {ErrorCase::other_experts, "other-experts"},
                                     {ErrorCase::other_device, "other-device"}});
static_assert(names_each(error_case_names));

/// The error of a table in one case.
struct TableError {
  std::string device; ///< the table's GPU kind; "any" for `other_device`
  std::string table;  ///< "gemm", "expert", "attention"
  Precision precision = Precision::bf16;
  ErrorCase error_case = ErrorCase::inside;
  std::size_t rows = 0; ///< rows that were left out, one at a time
  double median_percent = 0.0;
  double p90_percent = 0.0; ///< 90th percentile of the error
};

/// The errors that `moesim calibrate` found, `calibration/compute_errors.csv`.
class ComputeErrors {
public:
  /// Throws InputError if the file is malformed; a missing file has no rows.
  static ComputeErrors read(const std::filesystem::path& path);

  /// The 90th percentile of the relative error of a case. Throws InputError, naming the command
  /// that measures it, if the file lacks it.
  double p90(const std::string& device, const std::string& table, Precision precision,
             ErrorCase error_case) const;

private:
  std::string name_;
  std::map<std::tuple<std::string, std::string, Precision, ErrorCase>, double> p90_;
};

/// The text of `compute_errors.csv`.
std::string compute_errors_csv(const std::vector<TableError>& errors);

} // namespace moesim
