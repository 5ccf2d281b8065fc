#include "sim/report/report_answer.hpp"

#include "sim/base/median.hpp"
#include "sim/metrics/resource_class.hpp"
#include "sim/report/html_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <span>

namespace moesim {

namespace {

/// A part of the step or of the saving: its column, and its name in a sentence.
struct Loss {
  const char* column;
  const char* name;
};
/// The parts of the step that are not compute, in milliseconds.
constexpr std::array<Loss, 6> step_losses{{{"ep_exposed_ms", "exposed all-to-all (EP)"},
                                           {"pp_bubble_ms", "the pipeline bubble (PP)"},
                                           {"tp_exposed_ms", "exposed tensor parallelism (TP)"},
                                           {"dp_exposed_ms", "exposed data parallelism (DP)"},
                                           {"optimizer_ms", "the optimizer"},
                                           {"other_ms", "other work"}}};
/// The terms of the lost saving, in percentage points.
constexpr std::array<Loss, 10> saving_losses{
    {{"lost_router_percent", "the router and permutation"},
     {"lost_expert_gemm_percent", "small and grouped GEMMs"},
     {"lost_imbalance_percent", "uneven loads"},
     {"lost_ep_scale_up_percent", "the all-to-all inside domains"},
     {"lost_ep_scale_out_percent", "the all-to-all between domains"},
     {"lost_pp_percent", "the pipeline bubble"},
     {"lost_tp_percent", "exposed tensor parallelism"},
     {"lost_dp_percent", "exposed data parallelism"},
     {"lost_optimizer_percent", "the optimizer"},
     {"lost_other_percent", "the host"}}};

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

/// The largest of some losses of a point: its index and its amount; 0 if none is above 0.
std::pair<std::size_t, double> largest_loss(const TableReader& results, std::size_t row,
                                            std::span<const Loss> losses) {
  std::pair<std::size_t, double> largest{0, 0.0};
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (const double lost = results.number(row, losses[i].column).value_or(0.0);
        lost > largest.second)
      largest = {i, lost};
  return largest;
}

/// A point that ran.
struct Point {
  double tokens_per_s = 0.0;
  std::size_t row = 0;
};

/// The points that ran, from the fastest to the slowest; equal ones in the order of the table.
std::vector<Point> ranked_points(const TableReader& results) {
  std::vector<Point> points;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (const auto rate = results.number(row, "tokens_per_s"); rate && results.is_ok(row))
      points.push_back({*rate, row});
  std::stable_sort(points.begin(), points.end(),
                   [](const Point& a, const Point& b) { return a.tokens_per_s > b.tokens_per_s; });
  return points;
}

/// The values of a column at some points, from the least to the most.
std::vector<double> sorted_values(const TableReader& results, const std::vector<Point>& points,
                                  const std::string& column) {
  std::vector<double> values;
  for (const Point& point : points)
    if (const auto value = results.number(point.row, column))
      values.push_back(*value);
  std::sort(values.begin(), values.end());
  return values;
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

/// Which of some losses is the largest, counted over points, the most frequent first: "the
/// optimizer (at 12 of 20 points), …". Empty if nothing is lost.
std::string loss_list(const TableReader& results, const std::vector<Point>& points,
                      std::span<const Loss> losses) {
  std::vector<std::size_t> counts(losses.size(), 0);
  for (const Point& point : points)
    if (const auto [loss, amount] = largest_loss(results, point.row, losses); amount > 0.0)
      ++counts[loss];
  std::string list;
  for (std::size_t most = points.size(); most > 0; --most) // from the most frequent to the least
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] == most)
        list += fmt::format("{}{} (at {} of {} points)", list.empty() ? "" : ", ", losses[i].name,
                            most, points.size());
  return list;
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

/// A number with four significant digits, or all digits of its whole part: "874.3", "1,460,858".
std::string grouped(double value) {
  if (value < 1000.0)
    return fmt::format("{:.4g}", value);
  std::string text = fmt::format("{:.0f}", value);
  for (std::size_t digits = 3; digits < text.size(); digits += 4)
    text.insert(text.size() - digits, ",");
  return text;
}

/// ": 21 of the 38 percentage points lost go to the pipeline bubble". Where the largest loss
/// exceeds all that is lost, the rest is won back: parts that take the MoE less than its twin over
/// the ideal speedup. Empty if nothing is lost.
std::string loss_text(const TableReader& results, std::size_t row, double kept) {
  const auto [loss, largest] = largest_loss(results, row, saving_losses);
  const double points = std::round(largest);
  const double lost = std::round(100.0 - kept);
  if (lost <= 0.0 || points <= 0.0)
    return "";
  const char* name = saving_losses[loss].name;
  if (points < lost)
    return fmt::format(": {:.0f} of the {:.0f} percentage points lost go to {}", points, lost,
                       name);
  if (points == lost)
    return fmt::format(": the {:.0f} percentage points lost go to {}", lost, name);
  return fmt::format(": {:.0f} percentage points go to {}, and other parts win {:.0f} back", points,
                     name, points - lost);
}

/// "; it keeps 62 % of its saving", and why not all; without a comparison ", where the pipeline
/// bubble (PP) takes 43 % of the step".
std::string explanation(const TableReader& results, std::size_t row) {
  if (const auto kept = results.number(row, "savings_kept_percent"))
    return fmt::format("; it keeps {} of its saving{}", percent(*kept),
                       loss_text(results, row, *kept));
  const auto [loss, lost_ms] = largest_loss(results, row, step_losses);
  const auto step_ms = results.number(row, "step_time_ms");
  return step_ms && lost_ms > 0.0
             ? fmt::format(", where {} takes {} of the step", step_losses[loss].name,
                           percent(100.0 * lost_ms / *step_ms))
             : "";
}

/// " (90 % interval: 697 to 1,202)" of a step's time; empty without one.
std::string interval_text(const TableReader& results, std::size_t row) {
  const auto low = results.number(row, "step_time_low_ms");
  const auto high = results.number(row, "step_time_high_ms");
  return low && high ? fmt::format(" (90 % interval: {} to {})", grouped(*low), grouped(*high))
                     : "";
}

/// "Slowest: 41,200 tokens/s, a step of 874 ms (90 % interval: 697 to 1,202), at …", and why.
std::string extreme_sentence(const char* name, const TableReader& results, const Point& point,
                             const std::vector<std::string>& axes) {
  const std::string step_ms = grouped(results.number(point.row, "step_time_ms").value_or(0.0));
  return fmt::format("{}: <b>{} tokens/s</b>, a step of {} ms{}, at {}{}.", name,
                     grouped(point.tokens_per_s), step_ms, interval_text(results, point.row),
                     escape_html(point_text(results, point.row, axes)),
                     explanation(results, point.row));
}

/// How much of the saving the points keep and what ate most of it, each point beside its own twin.
std::string saving_sentences(const TableReader& results, const std::vector<Point>& points) {
  const std::vector<double> kept = sorted_values(results, points, "savings_kept_percent");
  if (kept.empty()) {
    const std::string list = loss_list(results, points, step_losses);
    return " No point is compared with its dense twin, so the saving is not known." +
           (list.empty() ? "" : " The largest part of the step outside compute: " + list + ".");
  }
  std::string text;
  if (kept.size() > 1)
    text += fmt::format(" Beside its own dense twin, a point keeps from <b>{}</b> to <b>{}</b> "
                        "(median {}) of its compute saving.",
                        percent(kept.front()), percent(kept.back()), percent(median(kept)));
  if (const auto slower = std::count_if(kept.begin(), kept.end(), [](double v) { return v < 0.0; });
      slower > 0)
    text +=
        fmt::format(" At {} of {} points the MoE is slower than its twin.", slower, kept.size());
  if (const std::string list = loss_list(results, points, saving_losses); !list.empty())
    text += " The largest term of the lost saving: " + list + ".";
  return text;
}

/// The points of each topology, from its fastest to its slowest, in the order of the table.
using Topologies = std::vector<std::pair<std::string, std::vector<Point>>>;

Topologies by_topology(const TableReader& results, const std::vector<Point>& points) {
  Topologies groups;
  const auto group_of = [&](std::size_t row) -> std::vector<Point>& {
    const std::string name = shown_value(results.text(row, "cluster.topology"));
    for (auto& [known, members] : groups)
      if (known == name)
        return members;
    return groups.emplace_back(name, std::vector<Point>{}).second;
  };
  for (std::size_t row = 0; row < results.size(); ++row)
    group_of(row);
  for (const Point& point : points)
    group_of(point.row).push_back(point);
  return groups;
}

/// The fastest point, and the slowest topology at its fastest; of one topology, the slowest point.
std::string ranking_sentences(const TableReader& results, const Topologies& topologies,
                              const std::vector<Point>& points,
                              const std::vector<std::string>& axes) {
  std::string text = extreme_sentence("Fastest", results, points.front(), axes);
  std::vector<Point> leaders;
  for (const auto& [name, members] : topologies)
    if (!members.empty())
      leaders.push_back(members.front());
  if (leaders.size() > 1)
    return text + " " +
           extreme_sentence("Slowest topology, at its fastest", results,
                            *std::min_element(leaders.begin(), leaders.end(),
                                              [](const Point& a, const Point& b) {
                                                return a.tokens_per_s < b.tokens_per_s;
                                              }),
                            axes);
  return points.size() > 1 ? text + " " + extreme_sentence("Slowest", results, points.back(), axes)
                           : text;
}

/// A line for each topology: how fast its points are, and how much of its saving the fastest keeps.
std::string topology_table(const TableReader& results, const Topologies& topologies) {
  std::string html = "<table class=\"ranges\"><thead><tr><th>topology<th>points ok"
                     "<th>lowest<th>median<th>highest tokens/s<th>its step<th>its saving kept"
                     "</thead>\n<tbody>\n";
  for (const auto& [name, members] : topologies) {
    html += fmt::format("<tr><th>{}<td>{}", escape_html(name), members.size());
    if (members.empty()) {
      html += "<td>–<td>–<td>–<td>–<td>–\n";
      continue;
    }
    const std::size_t fastest = members.front().row;
    const auto kept = results.number(fastest, "savings_kept_percent");
    html += fmt::format("<td>{}<td>{}<td>{}<td>{} ms<td>{}\n", grouped(members.back().tokens_per_s),
                        grouped(median(sorted_values(results, members, "tokens_per_s"))),
                        grouped(members.front().tokens_per_s),
                        grouped(results.number(fastest, "step_time_ms").value_or(0.0)),
                        kept ? percent(*kept) : "–");
  }
  return html + "</tbody></table>\n";
}

} // namespace

std::string answer_html(const TableReader& results, const std::vector<std::string>& axes) {
  const std::vector<Point> points = ranked_points(results);
  const Topologies topologies = by_topology(results, points);
  const std::string answer = points.empty() ? "No point ran."
                                            : ranking_sentences(results, topologies, points, axes) +
                                                  saving_sentences(results, points) +
                                                  bottleneck_sentence(results);
  std::string html = fmt::format("<p class=\"answer\">{}</p>\n<p class=\"counts\">{}</p>\n", answer,
                                 count_sentence(results));
  if (!points.empty() && results.ran_with("cluster.topology"))
    html += topology_table(results, topologies);
  return html;
}

} // namespace moesim
