#pragma once

#include "sim/report/report_table.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// The origin of a report, printed at its end, so that anyone can repeat it.
struct ReportOrigin {
  std::string title;   ///< "Mixtral-8x7B: …"
  std::string command; ///< the exact command line
  std::string version; ///< moesim's version and git commit
  std::string seed;
  std::vector<std::string> axes;                           ///< the swept columns, in order
  std::vector<std::pair<std::string, std::string>> inputs; ///< name and text of each file
  std::vector<std::string> notes; ///< warnings for the reader: extrapolated costs, …
};

/// One HTML page that opens offline: text, charts (Vega-Lite specs of `assets/charts/*.vl.json`,
/// data and JavaScript inlined), the table of every point, the errors of predictions of published
/// measurements, the origin. Same input, same bytes. `assets` is the folder that the build target
/// `moesim_report_assets` fills: `template.html`, `style.css`, `page.js`, `libraries.js`,
/// `validation.csv`, `cross_validation.csv`, `validation.svg` and `charts/`. A chart names in
/// `usermeta.needs` the columns that it needs, of results.csv or of the table that
/// `usermeta.table` names; one that lacks them is replaced by a line that says so. Throws
/// InputError if an asset is missing or broken.
std::string render_html_report(const SweepTables& tables, const ReportOrigin& origin,
                               const std::filesystem::path& assets);

} // namespace moesim
