#include "sim/report/report_kind.hpp"

namespace moesim {

ReportKind report_kind(const TableReader& results) {
  if (results.has("difference_ms"))
    return ReportKind::comparison;
  if (results.has("effect_percent"))
    return ReportKind::sensitivity;
  if (results.has("knob") && results.has("until"))
    return results.has("and_knob") ? ReportKind::contour : ReportKind::break_even;
  return results.size() > 0 && !results.text(0, "candidate").empty() &&
                 !results.text(0, "verdict").empty()
             ? ReportKind::plan
             : ReportKind::sweep;
}

} // namespace moesim
