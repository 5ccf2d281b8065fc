#pragma once

#include "sim/report/report_table.hpp"

#include <map>
#include <string>
#include <vector>

namespace moesim {

/// The effect of a swept axis on the results. Points that differ in this axis alone form a group.
/// Groups of one point, and those in which no point ran, are left out.
struct AxisEffect {
  std::string axis;
  std::size_t groups = 0;
  std::size_t unchanged = 0; ///< groups whose points are equal in every column but the axis, status
                             ///< included
  /// Settings of the other axes under which all groups are unchanged: "cluster.gpus 8".
  std::vector<std::string> always;
};

/// Columns that vary with an axis, by its name (SweepPlan::row_keys).
using RowKeys = std::map<std::string, std::vector<std::string>>;

/// One effect for each axis, in order.
std::vector<AxisEffect> axis_effects(const ReportTable& results,
                                     const std::vector<std::string>& axes,
                                     const RowKeys& row_keys = {});

/// A sentence for each axis that had no effect in all groups or in some.
std::vector<std::string> unchanged_notes(const std::vector<AxisEffect>& effects);

} // namespace moesim
