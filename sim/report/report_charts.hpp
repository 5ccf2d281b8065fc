#pragma once

#include "sim/report/report_kind.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace moesim {

/// The charts of a report as HTML, and the specs of the drawn ones.
struct ReportCharts {
  std::string sections; ///< of the argument, in the order of the files' names
  std::string more;     ///< of charts that a column of the results makes secondary
  std::string left_out; ///< a line for each chart of this kind of report that cannot be drawn
  nlohmann::ordered_json specs = nlohmann::ordered_json::object(); ///< by name of the section
};

/// The charts of a folder for a kind of report. A chart names in `usermeta` the `kinds` of reports
/// that it belongs to (every kind without), the `table` that it draws and the columns that it
/// `needs` of it, the columns that must have several values (`varies`), two that must `differ`, and
/// a column whose presence makes it secondary (`unless`). Throws InputError if a file is no chart.
ReportCharts make_charts(const SweepTables& tables, ReportKind kind,
                         const std::filesystem::path& folder);

} // namespace moesim
