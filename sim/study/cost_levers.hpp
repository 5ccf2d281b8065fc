#pragma once

#include "sim/cost/costs.hpp"
#include "sim/scenario/scenario.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// A constant, a curve or a table of the costs that can be changed alone.
struct CostLever {
  /// "host_operator_time", "sustained_throughput h100-sxm", "rate all_to_all on nvlink4", "gemm
  /// table".
  std::string name;
  std::string provenance; ///< a word that check_provenance accepts
  /// Relative, at a confidence of 90 %. Nothing for a table, whose times have an error each.
  std::optional<double> error;
  std::string measurement; ///< the benchmark that measures it, for people
  /// The costs with it changed by this multiple of its error: -1 is its lower end.
  std::function<Costs(double errors)> changed;
  /// The table that it is, if it is one.
  std::optional<KernelTable> table = std::nullopt;
};

/// The error of a constant whose calibration knows none.
constexpr double unknown_error = 0.1;

/// The levers of a step: every scalar constant of kernel times that is not 0, sustained throughput,
/// the times of its host, the rate of every network curve, the kernel tables. A constant that the
/// user measured is that of the GPU's own folder. Throws InputError for a malformed table.
std::vector<CostLever> cost_levers(const std::filesystem::path& calibration,
                                   const Scenario& scenario);

} // namespace moesim
