#include "sim/report/report_answer.hpp"

#include "sim/base/median.hpp"
#include "sim/report/answer_text.hpp"
#include "sim/report/html_text.hpp"
#include "sim/report/plan_answer.hpp"
#include "sim/report/report_kind.hpp"
#include "sim/report/sweep_overview.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

namespace moesim {

namespace {

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

/// The rows that differ from a row in one axis alone, in the order of the table.
std::vector<std::size_t> neighbours(const TableReader& results, std::size_t row,
                                    const std::string& axis, const std::vector<std::string>& axes) {
  std::vector<std::size_t> found;
  for (std::size_t other = 0; other < results.size(); ++other) {
    if (!results.is_ok(other) || results.text(other, axis) == results.text(row, axis))
      continue;
    if (std::all_of(axes.begin(), axes.end(), [&](const std::string& one) {
          return one == axis || results.text(other, one) == results.text(row, one);
        }))
      found.push_back(other);
  }
  return found;
}

/// Whether a point is as fast with every other value of an axis, and there is one.
bool changes_nothing(const TableReader& results, std::size_t row, const std::string& axis,
                     const std::vector<std::string>& axes) {
  const std::vector<std::size_t> others = neighbours(results, row, axis, axes);
  return !others.empty() && std::all_of(others.begin(), others.end(), [&](std::size_t other) {
    return results.text(other, "tokens_per_s") == results.text(row, "tokens_per_s");
  });
}

/// A value of an axis in a sentence: "256 GPUs".
std::string axis_text(const std::string& axis, const std::string& value) {
  const std::string shown = escape_html(shown_value(value));
  return axis == "cluster.topology"         ? shown
         : axis == "cluster.gpus"           ? shown + " GPUs"
         : axis == "model.experts"          ? shown + " experts"
         : axis == "cluster.nic_gbit_per_s" ? shown + " Gbit/s per NIC"
                                            : escape_html(axis) + " = " + shown;
}

/// The axes that matter at a point: another value of one changes its throughput, or the points have
/// one value of it.
std::vector<std::string> axes_that_matter(const TableReader& results, std::size_t row,
                                          const std::vector<std::string>& axes) {
  std::vector<std::string> matter;
  std::copy_if(axes.begin(), axes.end(), std::back_inserter(matter),
               [&](const std::string& axis) { return !changes_nothing(results, row, axis, axes); });
  return matter;
}

/// The axis values of a point that matter there: "hgx-h100-ndr400, 256 GPUs, 8 experts". `without`:
/// an axis that is named beside it.
std::string point_text(const TableReader& results, std::size_t row,
                       const std::vector<std::string>& axes, const std::string& without = "") {
  std::string text;
  for (const std::string& axis : axes_that_matter(results, row, axes))
    if (axis != without)
      text += (text.empty() ? "" : ", ") + axis_text(axis, results.text(row, axis));
  return !text.empty() ? text : without.empty() ? "the only point" : "–";
}

/// "6.56 million" tokens per second of a point.
std::string throughput(const TableReader& results, std::size_t row) {
  return traced(people_number(results.number(row, "tokens_per_s").value_or(0.0), 1), row,
                "tokens_per_s");
}

/// Tokens per second at both ends of the step's 90 % interval: the longer step is the lower end.
std::string throughput_interval(const TableReader& results, std::size_t row) {
  const auto tokens = results.number(row, "tokens_per_s");
  const auto step_ms = results.number(row, "step_time_ms");
  const auto shortest_ms = results.number(row, "step_time_low_ms");
  const auto longest_ms = results.number(row, "step_time_high_ms");
  if (!tokens || !step_ms || !shortest_ms || !longest_ms)
    return "";
  return interval(*tokens * *step_ms / *longest_ms, *tokens * *step_ms / *shortest_ms, 1);
}

/// Savings kept at both ends of the step's 90 % interval, the dense twin as it is predicted.
std::string kept_interval(const TableReader& results, std::size_t row) {
  const auto dense_ms = results.number(row, "dense_step_time_ms");
  const auto shortest_ms = results.number(row, "step_time_low_ms");
  const auto longest_ms = results.number(row, "step_time_high_ms");
  const auto ideal = results.number(row, "ideal_speedup");
  if (!dense_ms || !shortest_ms || !longest_ms || !ideal || *ideal <= 1.0)
    return "";
  const auto kept_at = [&](double step_ms) {
    return 100.0 * (*dense_ms / step_ms - 1.0) / (*ideal - 1.0);
  };
  return interval(kept_at(*longest_ms), kept_at(*shortest_ms), 0);
}

/// The largest loss of a point, of the saving or else of the step: its name, and "6 of 8 points"
/// or "43 % of the step". Nothing if nothing is lost.
struct NamedLoss {
  std::string name;
  std::string amount;
};

NamedLoss main_loss(const TableReader& results, std::size_t row) {
  if (const auto kept = results.number(row, "savings_kept_percent")) {
    const auto [loss, points] = largest_loss(results, row, saving_losses);
    if (std::round(points) <= 0.0)
      return {};
    return {saving_losses[loss].name,
            fmt::format("{} of {:.0f} points lost",
                        traced(fmt::format("{:.0f}", points), row, saving_losses[loss].column),
                        100.0 - *kept)};
  }
  const auto [loss, lost_ms] = largest_loss(results, row, step_losses);
  const auto step_ms = results.number(row, "step_time_ms");
  if (!step_ms || lost_ms <= 0.0)
    return {};
  return {step_losses[loss].name, percent(100.0 * lost_ms / *step_ms) + " of the step"};
}

/// The answer in one sentence: the fastest point, its throughput with the interval, what it keeps,
/// and what takes most of the rest.
std::string answer_sentence(const TableReader& results, std::size_t row,
                            const std::vector<std::string>& axes) {
  const std::string range = throughput_interval(results, row);
  const bool kept = results.number(row, "savings_kept_percent").has_value();
  const NamedLoss loss = main_loss(results, row);
  std::string rest;
  if (!loss.name.empty())
    rest = kept ? fmt::format("; most of the rest goes to {}", loss.name)
                : fmt::format("; {} takes {}", loss.name, loss.amount);
  return fmt::format("Fastest is {}: {} tokens/s{}{}{}.", point_text(results, row, axes),
                     throughput(results, row), range,
                     kept ? fmt::format(", with {}{} of the MoE’s saving kept",
                                        kept_text(results, row), kept_interval(results, row))
                          : "",
                     rest);
}

/// The same under uneven loads of experts: of the point, or else of all points that were timed so;
/// nothing if none was.
std::string uneven_sentence(const TableReader& results, std::size_t row,
                            const std::vector<Point>& points) {
  const std::string begin = " With experts as unevenly loaded as after training, ";
  const auto uneven_ms = results.number(row, "uneven_step_time_ms");
  const auto step_ms = results.number(row, "step_time_ms");
  const auto kept = results.number(row, "uneven_savings_kept_percent");
  if (uneven_ms && step_ms)
    return fmt::format(
        "{}the same plan takes {} longer{}.", begin,
        traced(percent(100.0 * (*uneven_ms / *step_ms - 1.0)), row, "uneven_step_time_ms"),
        kept ? " and keeps " + traced(percent(*kept), row, "uneven_savings_kept_percent") : "");
  std::vector<Point> timed = points;
  std::erase_if(timed, [&](const Point& point) {
    return !results.number(point.row, "uneven_savings_kept_percent");
  });
  if (timed.empty())
    return "";
  return fmt::format(
      "{}the {} points whose plans were timed so keep {} at the median, in place of {}.", begin,
      timed.size(), percent(median(sorted_values(results, timed, "uneven_savings_kept_percent"))),
      percent(median(sorted_values(results, timed, "savings_kept_percent"))));
}

/// A row of the table of the leaders: throughput, saving, loss, cost in GPU-hours.
std::string leader_row(const TableReader& results, const std::string& name, std::size_t row,
                       const std::vector<std::string>& axes) {
  const NamedLoss loss = main_loss(results, row);
  const auto each = results.number(row, "tokens_per_s_per_gpu");
  constexpr double tokens = 1e9;
  constexpr double seconds_per_hour = 3600.0;
  return fmt::format("<tr><th>{}", escape_html(name)) +
         fact_cell("at", point_text(results, row, axes, "cluster.topology"), false) +
         fact_cell("tokens/s", throughput(results, row) + throughput_interval(results, row)) +
         fact_cell("saving kept", kept_text(results, row)) +
         fact_cell("eaten most by",
                   loss.name.empty() ? "–" : fmt::format("{}, {}", loss.name, loss.amount), false) +
         fact_cell("GPU-hours per billion tokens",
                   each && *each > 0.0 ? traced(people_number(tokens / *each / seconds_per_hour, 1),
                                                row, "tokens_per_s_per_gpu")
                                       : "–") +
         "\n";
}

/// Each topology at its fastest point; of one topology, its fastest and its slowest point.
std::string leaders_table(const TableReader& results, const std::vector<Point>& points,
                          const std::vector<std::string>& axes) {
  const Topologies topologies = by_topology(results, points);
  std::string rows;
  std::string title = "The fastest and the slowest point, and what they cost";
  if (topologies.size() > 1) {
    title = "Each topology at its fastest, and what it costs";
    for (const auto& [name, members] : topologies)
      rows += members.empty()
                  ? fmt::format("<tr><th>{}<td colspan=\"5\">no point ran\n", escape_html(name))
                  : leader_row(results, name, members.front().row, axes);
  } else {
    rows = leader_row(results, "fastest", points.front().row, axes);
    if (points.size() > 1)
      rows += leader_row(results, "slowest", points.back().row, axes);
  }
  return fmt::format("<h3>{}</h3>\n", title) +
         facts_head({{""},
                     {"at"},
                     {"tokens/s (90 % interval)", true},
                     {"saving kept", true},
                     {"eaten most by"},
                     {"GPU-hours per billion tokens", true}}) +
         rows + "</tbody></table>\n";
}

/// A change of one axis, and the throughput that it makes over that of the point.
struct AxisChange {
  std::string axis;
  std::size_t row = 0;
  double percent = 0.0;
};

/// The fastest neighbour of a point for each other value of an axis. Axes that change nothing at
/// the point may differ too.
std::vector<std::size_t> best_neighbours(const TableReader& results, std::size_t row,
                                         const std::string& axis,
                                         const std::vector<std::string>& matter) {
  std::vector<std::size_t> best;
  const auto rate = [&](std::size_t of) {
    return results.number(of, "tokens_per_s").value_or(0.0);
  };
  for (const std::size_t other : neighbours(results, row, axis, matter)) {
    const auto same = std::find_if(best.begin(), best.end(), [&](std::size_t known) {
      return results.text(known, axis) == results.text(other, axis);
    });
    if (same == best.end())
      best.push_back(other);
    else if (rate(other) > rate(*same))
      *same = other;
  }
  return best;
}

/// The nearest neighbours along an axis of numbers: the next below and the next above; all of an
/// axis of texts.
std::vector<std::size_t> next_values(const TableReader& results, std::size_t row,
                                     const std::string& axis, std::vector<std::size_t> others) {
  const auto own = results.number(row, axis);
  if (!own)
    return others;
  std::sort(others.begin(), others.end(), [&](std::size_t a, std::size_t b) {
    return results.number(a, axis).value_or(0.0) < results.number(b, axis).value_or(0.0);
  });
  const auto above = std::find_if(others.begin(), others.end(), [&](std::size_t other) {
    return results.number(other, axis).value_or(0.0) > *own;
  });
  std::vector<std::size_t> next;
  if (above != others.begin())
    next.push_back(*std::prev(above));
  if (above != others.end())
    next.push_back(*above);
  return next;
}

/// The next values of each axis that matters at a point, the largest effect first; none below half
/// a percent.
std::vector<AxisChange> axis_changes(const TableReader& results, std::size_t row,
                                     const std::vector<std::string>& axes) {
  constexpr double least_percent = 0.5;
  std::vector<AxisChange> changes;
  const double base = results.number(row, "tokens_per_s").value_or(0.0);
  const std::vector<std::string> matter = axes_that_matter(results, row, axes);
  for (const std::string& axis : matter)
    for (const std::size_t other :
         next_values(results, row, axis, best_neighbours(results, row, axis, matter)))
      changes.push_back(
          {axis, other,
           100.0 * (results.number(other, "tokens_per_s").value_or(0.0) / base - 1.0)});
  std::erase_if(changes,
                [](const AxisChange& change) { return std::abs(change.percent) < least_percent; });
  std::stable_sort(changes.begin(), changes.end(), [](const AxisChange& a, const AxisChange& b) {
    return std::abs(a.percent) > std::abs(b.percent);
  });
  return changes;
}

/// The axes whose next value would change the answer; empty if none does.
std::string changes_table(const TableReader& results, std::size_t row,
                          const std::vector<std::string>& axes) {
  constexpr std::size_t most = 5;
  std::string rows;
  std::vector<AxisChange> changes = axis_changes(results, row, axes);
  changes.resize(std::min(most, changes.size()));
  for (const AxisChange& change : changes)
    rows +=
        fmt::format("<tr><th>{}", axis_text(change.axis, results.text(change.row, change.axis))) +
        fact_cell("instead of", axis_text(change.axis, results.text(row, change.axis)), false) +
        fact_cell("tokens/s", throughput(results, change.row)) +
        fact_cell("change",
                  fmt::format("{}{}", change.percent > 0.0 ? "+" : "", percent(change.percent))) +
        fact_cell("saving kept", kept_text(results, change.row)) + "\n";
  return rows.empty() ? ""
                      : "<h3>What would change it</h3>\n" +
                            facts_head({{"with"},
                                        {"instead of"},
                                        {"tokens/s", true},
                                        {"change", true},
                                        {"saving kept", true}}) +
                            rows + "</tbody></table>\n";
}

} // namespace

std::optional<std::size_t> answered_row(const TableReader& results) {
  if (report_kind(results) == ReportKind::plan)
    return chosen_candidate(results);
  const std::vector<Point> points = ranked_points(results);
  return points.empty() ? std::nullopt : std::optional(points.front().row);
}

std::string answer_html(const TableReader& results, const std::vector<std::string>& axes) {
  const std::vector<Point> points = ranked_points(results);
  if (points.empty())
    return fmt::format(
        "<p class=\"answer\">No point ran.</p>\n<p class=\"counts\">Points: {}.</p>\n",
        count_text(results));
  return fmt::format("<p class=\"answer\">{}{}</p>\n",
                     answer_sentence(results, points.front().row, axes),
                     uneven_sentence(results, points.front().row, points)) +
         leaders_table(results, points, axes) + changes_table(results, points.front().row, axes) +
         overview_table(results, points);
}

} // namespace moesim
