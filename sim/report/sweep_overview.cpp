#include "sim/report/sweep_overview.hpp"

#include "sim/base/median.hpp"
#include "sim/metrics/resource_class.hpp"
#include "sim/report/answer_text.hpp"
#include "sim/report/html_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace moesim {

namespace {

/// The largest of some losses, counted over points, the most frequent first: "the optimizer (at 12
/// of 20 points), …". Empty if nothing is lost.
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
/// frequent first: "GPU compute (at 12 of 20 points), NIC egress (at 8)".
std::string bottleneck_list(const TableReader& results) {
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
  return list;
}

/// The range and the median of a column of savings kept, and how many points are slower than their
/// twin.
std::string kept_range(const TableReader& results, const std::vector<Point>& points,
                       const std::string& column) {
  std::vector<Point> compared;
  for (const Point& point : points)
    if (results.number(point.row, column))
      compared.push_back(point);
  if (compared.empty())
    return "not known: no point is compared with its dense twin";
  const auto kept = [&](const Point& point) { return *results.number(point.row, column); };
  const auto text_of = [&](const Point& point) {
    return traced(percent(kept(point)), point.row, column);
  };
  std::stable_sort(compared.begin(), compared.end(),
                   [&](const Point& a, const Point& b) { return kept(a) < kept(b); });
  const auto slower = std::count_if(compared.begin(), compared.end(),
                                    [&](const Point& point) { return kept(point) < 0.0; });
  std::string text =
      fmt::format("{} to {}, median {}", text_of(compared.front()), text_of(compared.back()),
                  percent(median(sorted_values(results, points, column))));
  return slower == 0 ? text
                     : text + fmt::format("; below 0, slower than the twin, at {} of {} points",
                                          slower, compared.size());
}

/// The savings kept by the same plans under uneven loads, and how many plans run out of memory
/// there; empty if no point was timed so.
std::string uneven_range(const TableReader& results, const std::vector<Point>& points) {
  const auto stopped = std::count_if(points.begin(), points.end(), [&](const Point& point) {
    return !results.text(point.row, "uneven_reason").empty();
  });
  if (!results.ran_with("uneven_savings_kept_percent"))
    return "";
  const std::string range = kept_range(results, points, "uneven_savings_kept_percent");
  return stopped == 0
             ? range
             : range + fmt::format("; {} of {} plans were not timed so, most for want of memory",
                                   stopped, points.size());
}

} // namespace

std::string count_text(const TableReader& results) {
  std::map<std::string, std::size_t> counts;
  for (std::size_t row = 0; row < results.size(); ++row)
    ++counts[results.text(row, "status")];
  std::string text = fmt::format("{}: {} ok", results.size(), counts["ok"]);
  for (const auto& [status, name] :
       {std::pair{"out-of-memory", "out of memory"}, {"illegal", "illegal"}, {"failed", "failed"}})
    if (counts[status] > 0)
      text += fmt::format(", {} {}", counts[status], name);
  return text;
}

std::string overview_table(const TableReader& results, const std::vector<Point>& points) {
  const bool compared = results.ran_with("savings_kept_percent");
  std::string html =
      "<details><summary>Over all points</summary>\n<table class=\"facts\"><tbody>\n";
  const auto line = [&](const char* name, const std::string& text) {
    if (!text.empty())
      html += fmt::format("<tr><th>{}<td>{}\n", name, text);
  };
  line("points", count_text(results));
  line("saving kept", kept_range(results, points, "savings_kept_percent"));
  line("saving kept under uneven loads", uneven_range(results, points));
  line("largest loss", compared ? loss_list(results, points, saving_losses)
                                : loss_list(results, points, step_losses));
  line("busiest resource", bottleneck_list(results));
  return html + "</tbody></table></details>\n";
}

} // namespace moesim
