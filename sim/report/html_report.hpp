#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// A sweep's results as the report shows them: text cells, as in results.csv.
struct ReportTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// What identifies a report: printed at its end, so that anyone can repeat it.
struct ReportOrigin {
  std::string title;   ///< "Mixtral-8x7B: …"
  std::string command; ///< the exact command line
  std::string version; ///< moesim's version and git commit
  std::string seed;
  std::vector<std::string> axes;                           ///< the swept columns, in order
  std::vector<std::pair<std::string, std::string>> inputs; ///< file name and its text
  std::vector<std::string> notes; ///< warnings worth a reader's eye: extrapolated costs, …
};

/// One HTML page that opens offline: text, charts (Vega-Lite specs of `assets/charts/*.vl.json`,
/// data and JavaScript inlined), the table of every point, the origin. Same input, same bytes.
/// `assets` is the folder that the build target `moesim_report_assets` fills: `template.html`,
/// `style.css`, `page.js`, `libraries.js` and `charts/`. A chart whose columns the table lacks is
/// replaced by a line that says so. Throws InputError if an asset is missing or broken.
std::string render_html_report(const ReportTable& table, const ReportOrigin& origin,
                               const std::filesystem::path& assets);

} // namespace moesim
