#pragma once

#include "sim/report/report_table.hpp"

#include <array>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// A part of the step or of the saving: its column, and its name in a sentence.
struct Loss {
  const char* column;
  const char* name;
};
/// The parts of the step that are not compute, in milliseconds.
inline constexpr std::array<Loss, 6> step_losses{
    {{"ep_exposed_ms", "exposed all-to-all (EP)"},
     {"pp_bubble_ms", "the pipeline bubble (PP)"},
     {"tp_exposed_ms", "exposed tensor parallelism (TP)"},
     {"dp_exposed_ms", "exposed data parallelism (DP)"},
     {"optimizer_ms", "the optimizer"},
     {"other_ms", "other work"}}};
/// The terms of the lost saving, in percentage points.
inline constexpr std::array<Loss, 10> saving_losses{
    {{"lost_router_percent", "the router and permutation"},
     {"lost_expert_gemm_percent", "small and grouped GEMMs"},
     {"lost_imbalance_percent", "uneven loads"},
     {"lost_ep_scale_up_percent", "the all-to-all inside domains"},
     {"lost_ep_scale_out_percent", "the all-to-all between domains"},
     {"lost_pp_percent", "the pipeline bubble"},
     {"lost_tp_percent", "exposed tensor parallelism"},
     {"lost_dp_percent", "exposed data parallelism"},
     {"lost_optimizer_percent", "the optimizer"},
     {"lost_other_percent", "the host"}}};

/// The largest of some losses of a point: its index and its amount; 0 if none is above 0.
std::pair<std::size_t, double> largest_loss(const TableReader& results, std::size_t row,
                                            std::span<const Loss> losses);

/// A point that ran.
struct Point {
  double tokens_per_s = 0.0;
  std::size_t row = 0;
};

/// The points that ran, from the fastest to the slowest; equal ones in the order of the table.
std::vector<Point> ranked_points(const TableReader& results);

/// "62 %" of the saving that a point keeps, as a link to it; "–" without a twin.
std::string kept_text(const TableReader& results, std::size_t row);

/// The values of a column at some points, from the least to the most.
std::vector<double> sorted_values(const TableReader& results, const std::vector<Point>& points,
                                  const std::string& column);

} // namespace moesim
