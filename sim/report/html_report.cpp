#include "sim/report/html_report.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>

namespace moesim {
namespace {

using Json = nlohmann::ordered_json;

/// A part of the step that is not compute: its column, and its name in a sentence.
struct Loss {
  const char* column;
  const char* name;
};
constexpr std::array<Loss, 6> losses{{{"ep_exposed_ms", "exposed all-to-all (EP)"},
                                      {"pp_bubble_ms", "the pipeline bubble (PP)"},
                                      {"tp_exposed_ms", "exposed tensor parallelism (TP)"},
                                      {"dp_exposed_ms", "exposed data parallelism (DP)"},
                                      {"optimizer_ms", "the optimizer"},
                                      {"other_ms", "other work"}}};

/// The text with some characters written otherwise.
std::string replace_each(std::string_view text, const std::map<char, std::string>& replacements) {
  std::string replaced;
  for (const char c : text) {
    const auto found = replacements.find(c);
    replaced += found == replacements.end() ? std::string(1, c) : found->second;
  }
  return replaced;
}

/// Text as HTML shows it, safe between tags and inside a quoted attribute.
std::string escape_html(std::string_view text) {
  return replace_each(
      text, {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}});
}

/// JSON that may stand inside a script element: no `<`, so neither `</script>` nor `<!--`.
std::string script_json(const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return replace_each(text, {{'<', "\\u003c"}});
}

[[noreturn]] void throw_missing(const std::filesystem::path& asset) {
  throw InputError(InputLocation{asset.string(), 0, 0, ""}, "this part of the report is missing",
                   "build the target moesim_report_assets, and give its folder");
}

/// The whole text as a finite number, or nothing.
std::optional<double> number_in(const std::string& text) {
  double value = 0.0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value))
    return std::nullopt;
  return value;
}

/// A cell as JSON: a number where the text is one, null where it is empty.
Json cell_value(const std::string& column, const std::string& text) {
  if (text.empty())
    return nullptr;
  if (column == "status" || column == "reason" || column == "bottleneck")
    return text;
  const auto number = number_in(text);
  if (!number)
    return text;
  constexpr double exact = 9007199254740992.0; // 2^53: whole numbers up to here are exact
  if (*number == std::floor(*number) && std::abs(*number) < exact)
    return static_cast<std::int64_t>(*number);
  return *number;
}

/// The table with its columns by name, as the answer and the charts' notes read it.
class Results {
public:
  explicit Results(const ReportTable& table) : table_(table) {
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      positions_.emplace(table.columns[i], i);
    for (const auto& row : table.rows)
      INVARIANT(row.size() == table.columns.size(), "cells {} columns {}", row.size(),
                table.columns.size());
  }
  std::size_t size() const { return table_.rows.size(); }
  const std::string& text(std::size_t row, const std::string& column) const {
    static const std::string none;
    const auto found = positions_.find(column);
    return found == positions_.end() ? none : table_.rows[row][found->second];
  }
  std::optional<double> number(std::size_t row, const std::string& column) const {
    return number_in(text(row, column));
  }
  bool is_ok(std::size_t row) const { return text(row, "status") == "ok"; }
  /// Whether any point that ran has a value in the column.
  bool ran_with(const std::string& column) const {
    for (std::size_t row = 0; row < size(); ++row)
      if (is_ok(row) && !text(row, column).empty())
        return true;
    return false;
  }

  Json as_json() const {
    Json rows = Json::array();
    for (const auto& cells : table_.rows) {
      Json row = Json::object();
      for (std::size_t i = 0; i < cells.size(); ++i)
        row[table_.columns[i]] = cell_value(table_.columns[i], cells[i]);
      rows.push_back(std::move(row));
    }
    return rows;
  }

private:
  const ReportTable& table_;
  std::map<std::string, std::size_t> positions_;
};

/// "../../topologies/hgx-h100-ndr400.toml" is shown as "hgx-h100-ndr400".
std::string shown_value(const std::string& text) {
  const std::filesystem::path path(text);
  return path.extension() == ".toml" ? path.stem().string() : text;
}

/// The place of a point in the sweep: "hgx-h100-ndr400, 256 GPUs, 8 experts, 400 Gbit/s per NIC".
std::string place_of(const Results& results, std::size_t row,
                     const std::vector<std::string>& axes) {
  std::string place;
  for (const auto& axis : axes) {
    const std::string value = shown_value(results.text(row, axis));
    place += place.empty() ? "" : ", ";
    place += axis == "cluster.topology"         ? value
             : axis == "cluster.gpus"           ? value + " GPUs"
             : axis == "model.experts"          ? value + " experts"
             : axis == "cluster.nic_gbit_per_s" ? value + " Gbit/s per NIC"
                                                : axis + " = " + value;
  }
  return place.empty() ? "the only point" : place;
}

/// The largest part of the step that is not compute: its index in `losses`, its milliseconds.
std::pair<std::size_t, double> largest_loss(const Results& results, std::size_t row) {
  std::pair<std::size_t, double> largest{0, 0.0};
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (const double lost = results.number(row, losses[i].column).value_or(0.0);
        lost > largest.second)
      largest = {i, lost};
  return largest;
}

/// A point that ran and the share of the saving that it keeps.
struct Kept {
  double percent = 0.0;
  std::size_t row = 0;
};

/// The points that ran, from the least kept to the most; equal ones in the order of the table.
std::vector<Kept> kept_savings(const Results& results) {
  std::vector<Kept> kept;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (const auto share = results.number(row, "savings_kept_percent"); share && results.is_ok(row))
      kept.push_back({*share, row});
  std::stable_sort(kept.begin(), kept.end(),
                   [](const Kept& a, const Kept& b) { return a.percent < b.percent; });
  return kept;
}

double median(const std::vector<Kept>& sorted) {
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle].percent
                                : (sorted[middle - 1].percent + sorted[middle].percent) / 2.0;
}

std::string percent(double value) {
  value = std::round(value);
  return fmt::format("{}{:.0f} %", value < 0.0 ? "−" : "", std::abs(value));
}

/// "192 points: 160 ok, 28 out of memory, 4 illegal."
std::string count_sentence(const Results& results) {
  std::map<std::string, std::size_t> counts;
  for (std::size_t row = 0; row < results.size(); ++row)
    ++counts[results.text(row, "status")];
  return fmt::format("{} point{}: <b>{} ok</b>, {} out of memory, {} illegal, {} failed.",
                     results.size(), results.size() == 1 ? "" : "s", counts["ok"],
                     counts["out-of-memory"], counts["illegal"], counts["failed"]);
}

/// Which part ate most, counted over the points: "Outside compute, … at 12 of 20 points, …".
std::string loss_sentence(const Results& results, const std::vector<Kept>& kept) {
  std::array<std::size_t, losses.size()> counts{};
  for (const auto& point : kept)
    if (const auto [loss, lost_ms] = largest_loss(results, point.row); lost_ms > 0.0)
      ++counts[loss];
  std::string list;
  for (std::size_t most = kept.size(); most > 0; --most) // from the most frequent to the least
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] == most)
        list += fmt::format("{}{} (at {} of {} points)", list.empty() ? "" : ", ", losses[i].name,
                            most, kept.size());
  return list.empty() ? ""
                      : fmt::format(" The largest part of the step outside compute: {}.", list);
}

/// "Worst: 12 % at …, where exposed all-to-all takes 43 % of the step."
std::string extreme_sentence(const char* name, const Results& results, const Kept& point,
                             const std::vector<std::string>& axes) {
  std::string text = fmt::format(" {}: <b>{}</b> at {}", name, percent(point.percent),
                                 escape_html(place_of(results, point.row, axes)));
  const auto [loss, lost_ms] = largest_loss(results, point.row);
  if (const auto step_ms = results.number(point.row, "step_time_ms"); step_ms && lost_ms > 0.0)
    text += fmt::format(", where {} takes {} of the step", losses[loss].name,
                        percent(100.0 * lost_ms / *step_ms));
  return text + ".";
}

/// One line a topology: how much of the saving it keeps, from its worst point to its best.
std::string topology_table(const Results& results, const std::vector<Kept>& kept) {
  std::vector<std::pair<std::string, std::vector<Kept>>> groups;
  const auto group_of = [&groups](const std::string& name) -> std::vector<Kept>& {
    for (auto& [known, members] : groups)
      if (known == name)
        return members;
    return groups.emplace_back(name, std::vector<Kept>{}).second;
  };
  for (std::size_t row = 0; row < results.size(); ++row)
    group_of(shown_value(results.text(row, "cluster.topology"))); // in the order of the table
  for (const auto& point : kept)
    group_of(shown_value(results.text(point.row, "cluster.topology"))).push_back(point);
  std::string html = "<table class=\"ranges\"><thead><tr><th>topology<th>points ok"
                     "<th>lowest<th>median<th>highest savings kept</thead>\n<tbody>\n";
  for (const auto& [name, members] : groups) {
    html += fmt::format("<tr><th>{}<td>{}", escape_html(name), members.size());
    html += members.empty()
                ? "<td>–<td>–<td>–\n"
                : fmt::format("<td>{}<td>{}<td>{}\n", percent(members.front().percent),
                              percent(median(members)), percent(members.back().percent));
  }
  return html + "</tbody></table>\n";
}

/// The answer to the headline question, from the data.
std::string answer(const Results& results, const std::vector<std::string>& axes) {
  const auto kept = kept_savings(results);
  if (kept.empty())
    return "<p class=\"answer\">No point has a savings kept. " + count_sentence(results) + "</p>\n";
  std::string text = fmt::format("The MoE keeps <b>{}</b>", percent(kept.front().percent));
  if (kept.size() > 1)
    text = fmt::format("The MoE keeps between <b>{}</b> and <b>{}</b> (median {})",
                       percent(kept.front().percent), percent(kept.back().percent),
                       percent(median(kept)));
  text += " of its compute saving.";
  const auto slower = std::count_if(kept.begin(), kept.end(),
                                    [](const Kept& point) { return point.percent < 0.0; });
  if (slower > 0)
    text +=
        fmt::format(" At {} of {} points it is slower than its dense twin.", slower, kept.size());
  text += loss_sentence(results, kept);
  text += extreme_sentence("Best", results, kept.back(), axes);
  if (kept.size() > 1)
    text += extreme_sentence("Worst", results, kept.front(), axes);
  const std::string html = fmt::format("<p class=\"answer\">{}</p>\n<p class=\"counts\">{}</p>\n",
                                       text, count_sentence(results));
  return results.ran_with("cluster.topology") ? html + topology_table(results, kept) : html;
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

std::string chart_section(const std::string& name, const Json& chart,
                          const std::vector<std::string>& missing) {
  const std::string title = escape_html(chart["usermeta"]["title"].get<std::string>());
  if (!missing.empty())
    return fmt::format(
        "<p class=\"left-out\">Chart left out, “{}”: no point that ran has {}.</p>\n", title,
        escape_html(fmt::format("{}", fmt::join(missing, ", "))));
  return fmt::format("<section class=\"chart\" id=\"{0}\">\n<h2>{1}</h2>\n<p>{2}</p>\n"
                     "<div class=\"selectors\"></div>\n<p class=\"shown\"></p>\n"
                     "<div class=\"view\" role=\"img\" aria-label=\"{1}\"></div>\n</section>\n",
                     escape_html(name), title,
                     escape_html(chart["usermeta"].value("reading", std::string())));
}

/// The charts' sections for the page, and the specs of those drawn by the name of their section.
std::pair<std::string, Json> charts(const Results& results, const std::filesystem::path& folder) {
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
    std::vector<std::string> missing;
    for (const std::string column : chart["usermeta"]["needs"])
      if (!results.ran_with(column))
        missing.push_back(column);
    sections += chart_section(name, chart, missing);
    if (missing.empty())
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

/// The template with each `{{name}}` replaced once; what is put in is not searched again.
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

} // namespace

std::string render_html_report(const ReportTable& table, const ReportOrigin& origin,
                               const std::filesystem::path& assets) {
  const Results results(table);
  const auto [chart_sections, chart_specs] = charts(results, assets / "charts");
  return fill_template(assets / "template.html",
                       {{"title", escape_html(origin.title)},
                        {"style", read_asset(assets / "style.css")},
                        {"answer", answer(results, origin.axes)},
                        {"notes", notes_section(origin.notes)},
                        {"charts", chart_sections},
                        {"origin", origin_section(origin)},
                        {"data", script_json(results.as_json())},
                        {"axes", script_json(origin.axes)},
                        {"columns", script_json(table.columns)},
                        {"specs", script_json(chart_specs)},
                        {"libraries", read_asset(assets / "libraries.js")},
                        {"page", read_asset(assets / "page.js")}});
}

} // namespace moesim
