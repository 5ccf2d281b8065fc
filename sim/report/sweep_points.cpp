#include "sim/report/sweep_points.hpp"

#include "sim/report/answer_text.hpp"

#include <algorithm>

namespace moesim {

std::pair<std::size_t, double> largest_loss(const TableReader& results, std::size_t row,
                                            std::span<const Loss> losses) {
  std::pair<std::size_t, double> largest{0, 0.0};
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (const double lost = results.number(row, losses[i].column).value_or(0.0);
        lost > largest.second)
      largest = {i, lost};
  return largest;
}

std::vector<Point> ranked_points(const TableReader& results) {
  std::vector<Point> points;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (const auto rate = results.number(row, "tokens_per_s"); rate && results.is_ok(row))
      points.push_back({*rate, row});
  std::stable_sort(points.begin(), points.end(),
                   [](const Point& a, const Point& b) { return a.tokens_per_s > b.tokens_per_s; });
  return points;
}

std::string kept_text(const TableReader& results, std::size_t row) {
  const auto kept = results.number(row, "savings_kept_percent");
  return kept ? traced(percent(*kept), row, "savings_kept_percent") : "–";
}

std::vector<double> sorted_values(const TableReader& results, const std::vector<Point>& points,
                                  const std::string& column) {
  std::vector<double> values;
  for (const Point& point : points)
    if (const auto value = results.number(point.row, column))
      values.push_back(*value);
  std::sort(values.begin(), values.end());
  return values;
}

} // namespace moesim
