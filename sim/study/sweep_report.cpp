#include "sim/study/sweep_report.hpp"

#include "sim/base/input_error.hpp"
#include "sim/base/median.hpp"
#include "sim/base/output_file.hpp"
#include "sim/input/file_text.hpp"
#include "sim/report/report_kind.hpp"
#include "sim/study/axis_caps.hpp"
#include "sim/study/axis_effects.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <sstream>

namespace moesim {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// The largest share of compute time outside measured tables, as a remark if it is worth one.
std::vector<std::string> extrapolation_notes(const ReportTable& results) {
  const std::size_t column = results.find("extrapolated_percent");
  std::vector<double> shares;
  for (const auto& row : results.rows)
    if (column < row.size() && !row[column].empty())
      shares.push_back(std::stod(row[column]));
  if (shares.empty())
    return {};
  const double largest = *std::max_element(shares.begin(), shares.end());
  if (largest <= 10.0)
    return {};
  return {fmt::format(
      "Kernel costs outside measured tables, or derived from them by a stated rule, make up {:.0f} "
      "% of the compute time at the median (up to {:.0f} %); see calibration/README.md.",
      median(shares), largest)};
}

/// Costs that measurements of something else stand in for, and at how many points that ran.
std::vector<std::string> stand_in_notes(const ReportTable& results) {
  const TableReader reader(results);
  std::vector<std::pair<std::string, std::size_t>> counts; // in the order of the table
  std::size_t points = 0;
  for (std::size_t row = 0; row < reader.size(); ++row) {
    points += reader.is_ok(row) ? 1 : 0;
    std::istringstream costs(reader.text(row, "stand_ins"));
    for (std::string cost; std::getline(costs >> std::ws, cost, ';');) {
      const auto known = std::find_if(counts.begin(), counts.end(),
                                      [&](const auto& counted) { return counted.first == cost; });
      ++(known == counts.end() ? counts.emplace_back(cost, 0) : *known).second;
    }
  }
  if (counts.empty())
    return {};
  std::string list;
  for (const auto& [cost, times] : counts)
    list += fmt::format("{}{} (at {} of {} points)", list.empty() ? "" : ", ", cost, times, points);
  return {"Measurements of something else stand in for " + list + "."};
}

/// Whether some point has a fixed plan.
bool has_fixed_plans(const SweepPlan& plan) {
  return std::any_of(plan.points.begin(), plan.points.end(), [](const SweepPoint& point) {
    return point.scenario && !point.scenario->search;
  });
}

/// A column of results of which a summary has the least, the median and the most.
struct Measure {
  const char* column;
  const char* prefix; ///< of its name in the summary: before "least", "median" or "most"
  const char* suffix;
  int digits; ///< of a value below 100 in a summary for people
};
/// The first two rank clusters; the last explains one.
constexpr std::array<Measure, 3> summary_measures{
    {{"tokens_per_s", "tokens_per_s_", "", 0},
     {"step_time_ms", "step_", "_ms", 1},
     {"savings_kept_percent", "kept_", "_percent", 0}}};

/// The cells of a summary's row; empty ones without values.
std::array<std::string, 3> least_median_most(const std::vector<double>& values) {
  if (values.empty())
    return {};
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {fmt::format("{:.1f}", *least), fmt::format("{:.1f}", median(values)),
          fmt::format("{:.1f}", *most)};
}

/// A number for people: "0.7", "41", "874", "12.0k", "1.46M".
std::string short_number(double value, int digits) {
  const double size = std::abs(value);
  if (size >= 999.5e3)
    return fmt::format("{:#.3g}M", value / 1e6);
  if (size >= 9999.5)
    return fmt::format("{:#.3g}k", value / 1e3);
  return fmt::format("{:.{}f}", value, size < 99.95 ? digits : 0);
}

/// "least..most (median)" for people.
std::string range_text(const std::vector<double>& values, int digits) {
  if (values.empty())
    return "";
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return fmt::format("{}..{} ({})", short_number(*least, digits), short_number(*most, digits),
                     short_number(median(values), digits));
}

/// The name of a measure's only column in a summary for people.
std::string range_name(const Measure& measure) {
  const std::string prefix = measure.prefix;
  return prefix.substr(0, prefix.size() - 1) + measure.suffix;
}

} // namespace

ReportOrigin sweep_origin(const SweepPlan& plan, const ReportTable& results,
                          const std::string& command_line, const std::string& version) {
  ReportOrigin origin;
  std::string model = "sweep";
  for (const SweepPoint& point : plan.points)
    if (point.scenario) {
      model = point.scenario->workload.model.name;
      break;
    }
  const TableReader reader(results);
  const bool compared = reader.ran_with("savings_kept_percent");
  origin.title =
      fmt::format("{}: {}", model,
                  report_kind(reader) == ReportKind::plan ? "days and cost of its training"
                  : compared                              ? "how much of the MoE saving is left?"
                                                          : "step times");
  origin.command = command_line;
  origin.version = version;
  origin.seed = plan.seed;
  origin.axes = plan.axes;
  for (const fs::path& input : plan.inputs)
    origin.inputs.emplace_back(input.lexically_normal().string(), read_file(input));
  if (compared && has_fixed_plans(plan))
    origin.notes.emplace_back(
        "Each point runs under the plan of its scenario, its dense twins under their best plans. "
        "parallel.search = \"best\" answers each point under its own best plan.");
  for (std::string& note : unchanged_notes(axis_effects(results, plan.axes, plan.row_keys)))
    origin.notes.push_back(std::move(note));
  for (std::string& note : cap_notes(plan, results))
    origin.notes.push_back(std::move(note));
  for (const auto& notes_of : {straddling_notes, extrapolation_notes, stand_in_notes})
    for (std::string& note : notes_of(results))
      origin.notes.push_back(std::move(note));
  return origin;
}

std::vector<std::string> straddling_notes(const ReportTable& results) {
  const TableReader reader(results);
  std::size_t points = 0;
  double longest_ms = 0.0;
  double its_step_ms = 0.0;
  for (std::size_t row = 0; row < reader.size(); ++row)
    if (const auto more_ms = reader.number(row, "straddling_ms")) {
      ++points;
      if (points > 1 && *more_ms <= longest_ms)
        continue;
      longest_ms = *more_ms;
      its_step_ms = reader.number(row, "step_time_ms").value_or(0.0);
    }
  if (points == 0)
    return {};
  return {fmt::format("At {} of {} points groups straddle scale-up domains: with groups placed "
                      "whole their steps are up to {:.1f} ms shorter (of {:.1f} ms; column "
                      "straddling_ms).",
                      points, reader.size(), longest_ms, its_step_ms)};
}

void write_origin(const fs::path& folder, const ReportOrigin& origin) {
  const ordered_json json = {{"title", origin.title},     {"command", origin.command},
                             {"version", origin.version}, {"seed", origin.seed},
                             {"axes", origin.axes},       {"inputs", origin.inputs},
                             {"notes", origin.notes}};
  write_file(folder / "origin.json", json.dump(2) + "\n");
}

ReportOrigin read_origin(const fs::path& folder) {
  const fs::path path = folder / "origin.json";
  try {
    const ordered_json json = ordered_json::parse(read_file(path));
    ReportOrigin origin;
    json.at("title").get_to(origin.title);
    json.at("command").get_to(origin.command);
    json.at("version").get_to(origin.version);
    json.at("seed").get_to(origin.seed);
    json.at("axes").get_to(origin.axes);
    json.at("inputs").get_to(origin.inputs);
    json.at("notes").get_to(origin.notes);
    return origin;
  } catch (const ordered_json::exception& error) {
    throw InputError({path.string()}, std::string("is not what a sweep writes: ") + error.what(),
                     "run the sweep again on this folder; its results are kept");
  }
}

fs::path write_report(const fs::path& folder, const SweepTables& tables, const ReportOrigin& origin,
                      const fs::path& assets) {
  const fs::path path = folder / "report.html";
  write_file(path, render_html_report(tables, origin, assets));
  return path;
}

ResultTable summarise(const ReportTable& results, const std::vector<std::string>& axes,
                      TableFormat format) {
  const bool by_topology = std::find(axes.begin(), axes.end(), "cluster.topology") != axes.end();
  const std::string key = by_topology ? "cluster.topology" : axes.front();
  const TableReader reader(results);
  ResultTable table{{key, "points", "ok", "out-of-memory", "illegal", "failed"}, {}};
  std::vector<Measure> shown;
  std::copy_if(summary_measures.begin(), summary_measures.end(), std::back_inserter(shown),
               [&](const Measure& measure) { return reader.ran_with(measure.column); });
  const bool ranges = format == TableFormat::table;
  for (const Measure& measure : shown)
    if (ranges)
      table.columns.push_back(range_name(measure));
    else
      for (const char* extreme : {"least", "median", "most"})
        table.columns.push_back(fmt::format("{}{}{}", measure.prefix, extreme, measure.suffix));
  std::vector<std::string> values;
  for (std::size_t row = 0; row < reader.size(); ++row)
    if (std::find(values.begin(), values.end(), reader.text(row, key)) == values.end())
      values.push_back(reader.text(row, key));
  for (const std::string& value : values) {
    std::map<std::string, int> statuses;
    std::vector<std::vector<double>> measured(shown.size());
    for (std::size_t row = 0; row < reader.size(); ++row) {
      if (reader.text(row, key) != value)
        continue;
      ++statuses[reader.text(row, "status")];
      ++statuses["points"];
      for (std::size_t i = 0; i < shown.size(); ++i)
        if (const auto number = reader.number(row, shown[i].column))
          measured[i].push_back(*number);
    }
    std::vector<std::string> cells{shown_value(value)};
    for (const char* status : {"points", "ok", "out-of-memory", "illegal", "failed"})
      cells.push_back(std::to_string(statuses[status]));
    for (std::size_t i = 0; i < shown.size(); ++i)
      if (ranges)
        cells.push_back(range_text(measured[i], shown[i].digits));
      else
        for (const std::string& cell : least_median_most(measured[i]))
          cells.push_back(cell);
    table.rows.push_back(std::move(cells));
  }
  return table;
}

} // namespace moesim
