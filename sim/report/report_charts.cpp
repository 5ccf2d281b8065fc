#include "sim/report/report_charts.hpp"

#include "sim/base/input_error.hpp"
#include "sim/report/html_text.hpp"
#include "sim/report/report_assets.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

namespace moesim {

namespace {

using Json = nlohmann::ordered_json;

Json parse_chart(const std::filesystem::path& file) {
  const std::string text = read_asset(file);
  try {
    Json chart = Json::parse(text);
    chart.at("usermeta").at("title").get_ref<const std::string&>();
    chart.at("usermeta").at("needs").get_ref<const Json::array_t&>();
    return chart;
  } catch (const Json::exception& error) {
    throw InputError(InputLocation{file.string(), 0, 0, ""},
                     fmt::format("not a chart with usermeta.title and .needs: {}", error.what()));
  }
}

/// Whether the points that ran have several values in a column.
bool varies(const TableReader& results, const std::string& column) {
  std::set<std::string> values;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (results.is_ok(row))
      values.insert(results.text(row, column));
  return values.size() > 1;
}

/// Whether two columns of numbers differ by more than a thousandth at some point that ran.
bool differ(const TableReader& results, const std::string& a, const std::string& b) {
  constexpr double least_share = 1e-3;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (const double first = results.number(row, a).value_or(0.0);
        std::abs(first - results.number(row, b).value_or(0.0)) > least_share * std::abs(first))
      return true;
  return false;
}

/// The reason why a chart cannot be drawn from the sweep's tables; empty if it can.
std::string why_left_out(const Json& chart, const SweepTables& tables) {
  const Json& meta = chart["usermeta"];
  const std::string name = meta.value("table", "results");
  const std::map<std::string, const ReportTable*> others = {{"links", &tables.links},
                                                            {"loads", &tables.loads},
                                                            {"percentiles", &tables.percentiles},
                                                            {"sensitivity", &tables.sensitivity}};
  const TableReader results(tables.results);
  auto other = others.find(name);
  if (other != others.end() && other->second->rows.empty() && results.has(meta["needs"].front()))
    other = others.end(); // the results themselves are such a table
  std::vector<std::string> missing;
  for (const std::string column : meta["needs"])
    if (other != others.end() ? other->second->rows.empty() || !other->second->has(column)
                              : !results.ran_with(column))
      missing.push_back(column);
  if (!missing.empty())
    return fmt::format("{} {}",
                       other != others.end() ? fmt::format("the sweep's {}.csv lacks", name)
                                             : "no point that ran has",
                       fmt::join(missing, ", "));
  for (const std::string& column : meta.value("varies", std::vector<std::string>()))
    if (!varies(results, column))
      return fmt::format("{} is the same at all points that ran", column);
  const auto differing = meta.value("differ", std::vector<std::string>());
  if (differing.size() == 2 && !differ(results, differing.front(), differing.back()))
    return fmt::format("{} are the same at all points that ran", fmt::join(differing, " and "));
  return "";
}

std::string chart_section(const std::string& name, const Json& meta) {
  return fmt::format(
      "<section class=\"chart{3}\" id=\"{0}\">\n"
      "<div class=\"tools\"><a href=\"#chart={0}\">link</a>"
      "<button type=\"button\" data-chart=\"{0}\" data-format=\"svg\">SVG</button>"
      "<button type=\"button\" data-chart=\"{0}\" data-format=\"png\">PNG</button></div>\n"
      "<h2>{1}</h2>\n<p class=\"reading\">{2}</p>\n<div class=\"selectors\"></div>\n"
      "<p class=\"shown\"></p>\n<div class=\"view\" role=\"img\" aria-label=\"{1}\"></div>\n"
      "</section>\n",
      escape_html(name), escape_html(meta["title"].get<std::string>()),
      escape_html(meta.value("reading", std::string())),
      meta.value("brief", false) ? " brief" : "");
}

/// Whether a chart belongs to a kind of report.
bool belongs(const Json& meta, ReportKind kind) {
  const std::vector<std::string> kinds = meta.value("kinds", std::vector<std::string>());
  return kinds.empty() ||
         std::find(kinds.begin(), kinds.end(), name_of(report_kind_names, kind)) != kinds.end();
}

/// The files of the charts, in the order of their names.
std::vector<std::filesystem::path> chart_files(const std::filesystem::path& folder) {
  std::error_code failure;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure))
    if (entry.path().filename().string().ends_with(".vl.json"))
      files.push_back(entry.path());
  if (files.empty())
    throw_missing_asset(folder);
  std::sort(files.begin(), files.end());
  return files;
}

} // namespace

ReportCharts make_charts(const SweepTables& tables, ReportKind kind,
                         const std::filesystem::path& folder) {
  ReportCharts charts;
  const TableReader results(tables.results);
  for (const auto& file : chart_files(folder)) {
    const std::string name = file.stem().stem().string();
    Json chart = parse_chart(file);
    const Json& meta = chart["usermeta"];
    if (!belongs(meta, kind))
      continue;
    if (const std::string reason = why_left_out(chart, tables); !reason.empty()) {
      charts.left_out +=
          fmt::format("<p class=\"left-out\">Chart left out, “{}”: {}.</p>\n",
                      escape_html(meta["title"].get<std::string>()), escape_html(reason));
      continue;
    }
    const std::string unless = meta.value("unless", std::string());
    const bool secondary = !unless.empty() && results.ran_with(unless);
    (secondary ? charts.more : charts.sections) += chart_section(name, meta);
    charts.specs[name] = std::move(chart);
  }
  return charts;
}

} // namespace moesim
