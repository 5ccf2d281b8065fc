#include "sim/report/report_answer.hpp"

#include "sim/base/median.hpp"
#include "sim/metrics/resource_class.hpp"
#include "sim/report/html_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace moesim {

namespace {

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

/// The axis values of a point as text: "hgx-h100-ndr400, 256 GPUs, 8 experts, 400 Gbit/s per NIC".
std::string point_text(const TableReader& results, std::size_t row,
                       const std::vector<std::string>& axes) {
  std::string text;
  for (const auto& axis : axes) {
    const std::string value = shown_value(results.text(row, axis));
    text += text.empty() ? "" : ", ";
    text += axis == "cluster.topology"         ? value
            : axis == "cluster.gpus"           ? value + " GPUs"
            : axis == "model.experts"          ? value + " experts"
            : axis == "cluster.nic_gbit_per_s" ? value + " Gbit/s per NIC"
                                               : axis + " = " + value;
  }
  return text.empty() ? "the only point" : text;
}

/// The largest part of a step that is not compute: its index in `losses`, its milliseconds.
std::pair<std::size_t, double> largest_loss(const TableReader& results, std::size_t row) {
  std::pair<std::size_t, double> largest{0, 0.0};
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (const double lost = results.number(row, losses[i].column).value_or(0.0);
        lost > largest.second)
      largest = {i, lost};
  return largest;
}

/// A point that ran, and the share of the saving that it keeps.
struct Kept {
  double percent = 0.0;
  std::size_t row = 0;
};

/// The points that ran, by rising share of the saving; equal ones in the order of the table.
std::vector<Kept> kept_savings(const TableReader& results) {
  std::vector<Kept> kept;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (const auto share = results.number(row, "savings_kept_percent"); share && results.is_ok(row))
      kept.push_back({*share, row});
  std::stable_sort(kept.begin(), kept.end(),
                   [](const Kept& a, const Kept& b) { return a.percent < b.percent; });
  return kept;
}

/// The median share of some points; there must be at least one.
double median_percent(const std::vector<Kept>& kept) {
  std::vector<double> percents;
  for (const Kept& point : kept)
    percents.push_back(point.percent);
  return median(percents);
}

std::string percent(double value) {
  value = std::round(value);
  return fmt::format("{}{:.0f} %", value < 0.0 ? "−" : "", std::abs(value));
}

/// "192 points: 160 ok, 28 out of memory, 4 illegal."
std::string count_sentence(const TableReader& results) {
  std::map<std::string, std::size_t> counts;
  for (std::size_t row = 0; row < results.size(); ++row)
    ++counts[results.text(row, "status")];
  return fmt::format("{} point{}: <b>{} ok</b>, {} out of memory, {} illegal, {} failed.",
                     results.size(), results.size() == 1 ? "" : "s", counts["ok"],
                     counts["out-of-memory"], counts["illegal"], counts["failed"]);
}

/// The largest loss of each point, counted over the points: "Outside compute, … at 12 of 20 points,
/// …".
std::string loss_sentence(const TableReader& results, const std::vector<std::size_t>& rows) {
  std::array<std::size_t, losses.size()> counts{};
  for (const std::size_t row : rows)
    if (const auto [loss, lost_ms] = largest_loss(results, row); lost_ms > 0.0)
      ++counts[loss];
  std::string list;
  for (std::size_t most = rows.size(); most > 0; --most) // from the most frequent to the least
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] == most)
        list += fmt::format("{}{} (at {} of {} points)", list.empty() ? "" : ", ", losses[i].name,
                            most, rows.size());
  return list.empty() ? ""
                      : fmt::format(" The largest part of the step outside compute: {}.", list);
}

/// The busiest class of resources of each point, counted over the points that ran, the most
/// frequent first: " The busiest resource: GPU compute (at 12 of 20 points), NIC egress (at 8)."
std::string bottleneck_sentence(const TableReader& results) {
  std::vector<std::pair<std::string, std::size_t>> counts;
  std::size_t points = 0;
  for (std::size_t row = 0; row < results.size(); ++row) {
    if (!results.is_ok(row) || results.text(row, "bottleneck").empty())
      continue;
    const std::string name = resource_class(results.text(row, "bottleneck"));
    const auto known = std::find_if(counts.begin(), counts.end(),
                                    [&](const auto& count) { return count.first == name; });
    ++(known == counts.end() ? counts.emplace_back(name, 0) : *known).second;
    ++points;
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string list;
  for (const auto& [name, count] : counts)
    list += list.empty() ? fmt::format("{} (at {} of {} points)", escape_html(name), count, points)
                         : fmt::format(", {} (at {})", escape_html(name), count);
  return list.empty() ? "" : fmt::format(" The busiest resource: {}.", list);
}

/// "Worst: 12 % at …, where exposed all-to-all takes 43 % of the step."
std::string extreme_sentence(const char* name, const std::string& value, const TableReader& results,
                             std::size_t row, const std::vector<std::string>& axes) {
  std::string text =
      fmt::format(" {}: <b>{}</b> at {}", name, value, escape_html(point_text(results, row, axes)));
  const auto [loss, lost_ms] = largest_loss(results, row);
  if (const auto step_ms = results.number(row, "step_time_ms"); step_ms && lost_ms > 0.0)
    text += fmt::format(", where {} takes {} of the step", losses[loss].name,
                        percent(100.0 * lost_ms / *step_ms));
  return text + ".";
}

/// The answer of a sweep without dense twins: the range of its step times.
std::string step_time_text(const TableReader& results, const std::vector<std::string>& axes) {
  std::vector<std::pair<double, std::size_t>> times;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (const auto time = results.number(row, "step_time_ms"); time && results.is_ok(row))
      times.emplace_back(*time, row);
  if (times.empty())
    return "No point ran.";
  std::sort(times.begin(), times.end());
  const auto shown = [](double time_ms) { return fmt::format("{:.4g} ms", time_ms); };
  std::vector<std::size_t> rows;
  for (const auto& [time, row] : times)
    rows.push_back(row);
  std::string text = "No point is compared with its dense twin, so the saving is not known.";
  text += extreme_sentence("Fastest step", shown(times.front().first), results, rows.front(), axes);
  if (times.size() > 1)
    text += extreme_sentence("Slowest", shown(times.back().first), results, rows.back(), axes);
  return text + loss_sentence(results, rows) + bottleneck_sentence(results);
}

/// An answer, with the counts of points below it.
std::string answer_paragraphs(const std::string& answer, const TableReader& results) {
  return fmt::format("<p class=\"answer\">{}</p>\n<p class=\"counts\">{}</p>\n", answer,
                     count_sentence(results));
}

/// One line for each topology: the share of the saving that it keeps, from its worst point to its
/// best.
std::string topology_table(const TableReader& results, const std::vector<Kept>& kept) {
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
                              percent(median_percent(members)), percent(members.back().percent));
  }
  return html + "</tbody></table>\n";
}

} // namespace

std::string answer_html(const TableReader& results, const std::vector<std::string>& axes) {
  const auto kept = kept_savings(results);
  if (kept.empty())
    return answer_paragraphs(step_time_text(results, axes), results);
  std::string text = fmt::format("The MoE keeps <b>{}</b>", percent(kept.front().percent));
  if (kept.size() > 1)
    text = fmt::format("The MoE keeps between <b>{}</b> and <b>{}</b> (median {})",
                       percent(kept.front().percent), percent(kept.back().percent),
                       percent(median_percent(kept)));
  text += " of its compute saving.";
  const auto slower = std::count_if(kept.begin(), kept.end(),
                                    [](const Kept& point) { return point.percent < 0.0; });
  if (slower > 0)
    text +=
        fmt::format(" At {} of {} points it is slower than its dense twin.", slower, kept.size());
  std::vector<std::size_t> rows;
  for (const Kept& point : kept)
    rows.push_back(point.row);
  text += loss_sentence(results, rows);
  text += bottleneck_sentence(results);
  text += extreme_sentence("Best", percent(kept.back().percent), results, kept.back().row, axes);
  if (kept.size() > 1)
    text +=
        extreme_sentence("Worst", percent(kept.front().percent), results, kept.front().row, axes);
  const std::string html = answer_paragraphs(text, results);
  return results.ran_with("cluster.topology") ? html + topology_table(results, kept) : html;
}

} // namespace moesim
