#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/report/report_table.hpp"

namespace moesim {

/// The question that a report answers.
enum class ReportKind { sweep, plan, comparison, sensitivity, break_even, contour };

/// As the charts name them in `usermeta.kinds`.
inline constexpr auto report_kind_names =
    std::to_array<Named<ReportKind>>({{ReportKind::sweep, "sweep"},
                                      {ReportKind::plan, "plan"},
                                      {ReportKind::comparison, "comparison"},
                                      {ReportKind::sensitivity, "sensitivity"},
                                      {ReportKind::break_even, "break-even"},
                                      {ReportKind::contour, "contour"}});
static_assert(names_each(report_kind_names));

/// The kind that a table of results belongs to, by its columns.
ReportKind report_kind(const TableReader& results);

} // namespace moesim
