#include "sim/report/html_report.hpp"

#include "sim/base/check.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/report/decision_answer.hpp"
#include "sim/report/html_text.hpp"
#include "sim/report/plan_answer.hpp"
#include "sim/report/report_answer.hpp"
#include "sim/report/report_assets.hpp"
#include "sim/report/report_charts.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>

namespace moesim {
namespace {

using Json = nlohmann::ordered_json;

/// JSON that may stand inside a script element: no `<`, so neither `</script>` nor `<!--`.
std::string script_json(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at))
    text.replace(at, 1, "\\u003c");
  return text;
}

/// A cell as JSON: a number if the text is one, null if it is empty, else a string.
Json cell_value(const std::string& column, const std::string& text) {
  if (text.empty())
    return nullptr;
  if (column == "status" || column == "reason" || column == "bottleneck")
    return text;
  const auto number = finite_number(text);
  if (!number)
    return text;
  constexpr double exact = 9007199254740992.0; // 2^53: whole numbers up to here are exact
  if (*number == std::floor(*number) && std::abs(*number) < exact)
    return static_cast<std::int64_t>(*number);
  return *number;
}

/// Rows as JSON objects.
Json rows_as_objects(const ReportTable& table) {
  Json rows = Json::array();
  for (const auto& cells : table.rows) {
    Json row = Json::object();
    for (std::size_t i = 0; i < cells.size(); ++i)
      row[table.columns[i]] = cell_value(table.columns[i], cells[i]);
    rows.push_back(std::move(row));
  }
  return rows;
}

/// The columns once, and each row as a list: for a table of many rows.
Json rows_as_lists(const ReportTable& table) {
  Json rows = Json::array();
  for (const auto& cells : table.rows) {
    Json row = Json::array();
    for (std::size_t i = 0; i < cells.size(); ++i)
      row.push_back(cell_value(table.columns[i], cells[i]));
    rows.push_back(std::move(row));
  }
  return {{"columns", table.columns}, {"rows", std::move(rows)}};
}

std::string origin_section(const ReportOrigin& origin) {
  std::string html = fmt::format("<dl>\n<dt>Command<dd><code>{}</code>\n<dt>Version<dd>{}\n"
                                 "<dt>Seed<dd>{}\n</dl>\n",
                                 escape_html(origin.command), escape_html(origin.version),
                                 escape_html(origin.seed));
  for (const auto& [name, text] : origin.inputs)
    html += fmt::format("<details><summary>{}</summary><pre>\n{}</pre></details>\n",
                        escape_html(name), escape_html(text));
  return html;
}

std::string notes_section(const std::vector<std::string>& notes) {
  std::string html;
  for (const auto& note : notes)
    html += fmt::format("<li>{}\n", escape_html(note));
  return html.empty() ? ""
                      : "<aside class=\"notes\"><h3>Mind</h3><ul>\n" + html + "</ul></aside>\n";
}

/// The rows of a table of the assets that `kept` accepts, as rows of HTML with these columns.
template <typename Kept>
std::string asset_rows(const std::filesystem::path& file, const std::vector<const char*>& columns,
                       const Kept& kept) {
  if (!std::filesystem::exists(file))
    throw_missing_asset(file);
  const CsvTable table = CsvTable::read(file);
  std::string rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (!kept(table.text(row, 0)))
      continue;
    rows += "<tr>";
    for (const char* column : columns)
      rows += fmt::format("<td>{}", escape_html(table.text(row, table.column(column))));
    rows += "\n";
  }
  return rows;
}

/// How far off a step of a cluster that nobody measured may be: "MoE steps …".
std::string trust_sentence(const std::filesystem::path& assets) {
  const CsvTable table = CsvTable::read(assets / "cross_validation.csv");
  const auto text = [&](std::size_t row, const char* column) {
    return escape_html(table.text(row, table.column(column)));
  };
  for (std::size_t row = 0; row < table.rows(); ++row)
    if (text(row, "steps") == "MoE")
      return fmt::format(
          "<p><b>On a cluster that nobody measured, MoE steps are off by {} % at the "
          "median, 9 of 10 by at most {} %; {} % lie inside their 90 % "
          "interval.</b></p>\n",
          text(row, "median_percent"), text(row, "p90_percent"), text(row, "inside_percent"));
  return "";
}

/// The result of `moesim validate` for this version: the tiers of published measurements as a
/// table, and their training steps as a plot.
std::string validation_section(const std::filesystem::path& assets) {
  const std::string kinds =
      asset_rows(assets / "cross_validation.csv",
                 {"steps", "plans", "folds", "median_percent", "p90_percent", "bias_percent",
                  "inside_percent"},
                 [](const std::string& steps) {
                   return steps.starts_with("MoE") || steps == "dense" || steps == "all";
                 });
  const std::string tiers = asset_rows(assets / "validation.csv",
                                       {"tier", "cases", "median_percent", "p90_percent", "holds"},
                                       [](const std::string&) { return true; });
  return fmt::format(
      "{}<p class=\"reading\">Published training steps, each predicted by constants that were "
      "fitted "
      "without its source: absolute error in % by distinct plan; the bias is positive if "
      "predictions "
      "are too fast.</p>\n"
      "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"errors by kind of "
      "step\"><table class=\"tiers numbers\">\n<tr><th>steps<th>plans<th>sources<th>median<th>9 of "
      "10<th>bias<th>inside their 90 % interval, %\n{}</table></div>\n<div class=\"wide plot\" "
      "tabindex=\"0\" role=\"img\" aria-label=\"Predicted over measured throughput of published "
      "training steps, each predicted without its source\">{}</div>\n"
      "<details><summary>All published measurements, predicted by this version, whose constants "
      "know "
      "some of them</summary>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"errors by tier\"><table class=\"tiers\">\n<tr><th>tier<th>cases<th>median<th>9 "
      "of 10<th>what it holds\n{}</table></div></details>\n",
      trust_sentence(assets), kinds, read_asset(assets / "validation.svg"), tiers);
}

std::string answer_of(const SweepTables& tables, ReportKind kind,
                      const std::vector<std::string>& axes) {
  const TableReader results(tables.results);
  switch (kind) {
  case ReportKind::sweep:
    return answer_html(results, axes) + constants_table(tables.sensitivity);
  case ReportKind::plan:
    return plan_answer_html(results) + constants_table(tables.sensitivity);
  case ReportKind::comparison:
    return comparison_answer_html(results);
  case ReportKind::sensitivity:
    return sensitivity_answer_html(results) + constants_table(tables.results);
  case ReportKind::break_even:
    return break_even_answer_html(results);
  case ReportKind::contour:
    return contour_answer_html(results);
  }
  INVARIANT(false, "a report of no kind");
}

} // namespace

std::string render_html_report(const SweepTables& tables, const ReportOrigin& origin,
                               const std::filesystem::path& assets) {
  const TableReader results(tables.results);
  const ReportKind kind = report_kind(results);
  const ReportCharts charts = make_charts(tables, kind, assets / "charts");
  return fill_template(assets / "template.html",
                       {{"title", escape_html(origin.title)},
                        {"kind", std::string(name_of(report_kind_names, kind))},
                        {"style", read_asset(assets / "style.css")},
                        {"answer", answer_of(tables, kind, origin.axes)},
                        {"notes", notes_section(origin.notes)},
                        {"charts", charts.sections},
                        {"more_charts", charts.more},
                        {"left_out", charts.left_out},
                        {"validation", validation_section(assets)},
                        {"origin", origin_section(origin)},
                        {"data", script_json(rows_as_objects(tables.results))},
                        {"links", script_json(rows_as_lists(tables.links))},
                        {"loads", script_json(rows_as_lists(tables.loads))},
                        {"percentiles", script_json(rows_as_lists(tables.percentiles))},
                        {"sensitivity", script_json(rows_as_lists(tables.sensitivity))},
                        {"axes", script_json(origin.axes)},
                        {"columns", script_json(tables.results.columns)},
                        {"specs", script_json(charts.specs)},
                        {"libraries", read_asset(assets / "libraries.js")},
                        {"page", read_asset(assets / "page.js")}});
}

} // namespace moesim
