#include "sim/report/html_report.hpp"

#include "sim/base/input_error.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/report/html_text.hpp"
#include "sim/report/plan_answer.hpp"
#include "sim/report/report_answer.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

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

[[noreturn]] void throw_missing(const std::filesystem::path& asset) {
  throw InputError(InputLocation{asset.string(), 0, 0, ""}, "this part of the report is missing",
                   "build the target moesim_report_assets, and give its folder");
}

std::string read_asset(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    throw_missing(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

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

/// The reason why a chart cannot be drawn from the sweep's tables; empty if it can.
std::string why_left_out(const Json& chart, const SweepTables& tables) {
  const Json& meta = chart["usermeta"];
  const std::string name = meta.value("table", "results");
  const std::map<std::string, const ReportTable*> others = {
      {"links", &tables.links}, {"loads", &tables.loads}, {"percentiles", &tables.percentiles}};
  const auto other = others.find(name);
  const TableReader results(tables.results);
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
  return "";
}

std::string chart_section(const std::string& name, const Json& chart, const std::string& left_out) {
  const std::string title = escape_html(chart["usermeta"]["title"].get<std::string>());
  if (!left_out.empty())
    return fmt::format("<p class=\"left-out\">Chart left out, “{}”: {}.</p>\n", title,
                       escape_html(left_out));
  return fmt::format("<section class=\"chart\" id=\"{0}\">\n<h2>{1}</h2>\n<p>{2}</p>\n"
                     "<div class=\"selectors\"></div>\n<p class=\"shown\"></p>\n"
                     "<div class=\"view\" role=\"img\" aria-label=\"{1}\"></div>\n</section>\n",
                     escape_html(name), title,
                     escape_html(chart["usermeta"].value("reading", std::string())));
}

/// The sections of all charts for the page, and the specs of the drawn ones by the name of their
/// section.
std::pair<std::string, Json> charts(const SweepTables& tables,
                                    const std::filesystem::path& folder) {
  std::error_code failure;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure))
    if (entry.path().filename().string().ends_with(".vl.json"))
      files.push_back(entry.path());
  if (files.empty())
    throw_missing(folder);
  std::sort(files.begin(), files.end());
  std::string sections;
  Json drawn = Json::object();
  for (const auto& file : files) {
    const std::string name = file.stem().stem().string();
    Json chart = parse_chart(file);
    const std::string left_out = why_left_out(chart, tables);
    sections += chart_section(name, chart, left_out);
    if (left_out.empty())
      drawn[name] = std::move(chart);
  }
  return {sections, drawn};
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
                      : "<aside class=\"notes\"><h2>Mind</h2><ul>\n" + html + "</ul></aside>\n";
}

/// The rows of a table of the assets that `kept` accepts, as rows of HTML with these columns.
template <typename Kept>
std::string asset_rows(const std::filesystem::path& file, const std::vector<const char*>& columns,
                       const Kept& kept) {
  if (!std::filesystem::exists(file))
    throw_missing(file);
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
      "<p>Published training steps, each predicted by constants that were fitted without its "
      "source: the error to expect on a cluster that nobody measured. Absolute error in % by "
      "distinct plan; the bias is positive if predictions are too fast.</p>\n"
      "<table class=\"tiers\">\n<tr><th>steps<th>plans<th>sources<th>median<th>9 of 10<th>bias"
      "<th>inside their 90 % interval, %\n{}</table>\n{}"
      "<p>All published measurements, predicted by this version, whose constants know some of "
      "them.</p>\n<table class=\"tiers\">\n<tr><th>tier<th>cases<th>median<th>9 of 10"
      "<th>what it holds\n{}</table>\n",
      kinds, read_asset(assets / "validation.svg"), tiers);
}

/// The template with each `{{name}}` replaced once; inserted text is not searched again.
std::string fill_template(const std::filesystem::path& file,
                          const std::map<std::string, std::string>& parts) {
  const std::string text = read_asset(file);
  std::string page;
  std::size_t at = 0;
  for (std::size_t open = text.find("{{"); open != std::string::npos; open = text.find("{{", at)) {
    const std::size_t close = text.find("}}", open);
    const auto part = close == std::string::npos
                          ? parts.end()
                          : parts.find(text.substr(open + 2, close - open - 2));
    if (part == parts.end())
      throw InputError(locate_offset(file.string(), text, open), "no such part of the report");
    page.append(text, at, open - at).append(part->second);
    at = close + 2;
  }
  return page.append(text, at);
}

std::string question_of(const TableReader& results) {
  if (is_plan(results))
    return "Which cluster trains the model, by when and for how much?";
  return results.ran_with("savings_kept_percent")
             ? "How much of the MoE compute saving is left, and what ate the rest?"
             : "How long is a step, and what fills it?";
}

} // namespace

std::string render_html_report(const SweepTables& tables, const ReportOrigin& origin,
                               const std::filesystem::path& assets) {
  const TableReader results(tables.results);
  const auto [chart_sections, chart_specs] = charts(tables, assets / "charts");
  return fill_template(
      assets / "template.html",
      {{"title", escape_html(origin.title)},
       {"kind", is_plan(results) ? "plan" : "sweep"},
       {"question", question_of(results)},
       {"style", read_asset(assets / "style.css")},
       {"answer", is_plan(results) ? plan_answer_html(results) : answer_html(results, origin.axes)},
       {"notes", notes_section(origin.notes)},
       {"charts", chart_sections},
       {"validation", validation_section(assets)},
       {"origin", origin_section(origin)},
       {"data", script_json(rows_as_objects(tables.results))},
       {"links", script_json(rows_as_lists(tables.links))},
       {"loads", script_json(rows_as_lists(tables.loads))},
       {"percentiles", script_json(rows_as_lists(tables.percentiles))},
       {"axes", script_json(origin.axes)},
       {"columns", script_json(tables.results.columns)},
       {"specs", script_json(chart_specs)},
       {"libraries", read_asset(assets / "libraries.js")},
       {"page", read_asset(assets / "page.js")}});
}

} // namespace moesim
