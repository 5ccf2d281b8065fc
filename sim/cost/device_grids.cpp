#include "sim/cost/device_grids.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moesim {

namespace {

/// The products of a table as single ones of so many rows.
double single_seconds(const ExpertTable& table, const TimeGrid& gemm, double rows) {
  double seconds = 0.0;
  for (const ExpertProduct& product : table.products)
    seconds += gemm.at({rows, product.n, product.k}).seconds;
  return seconds;
}

} // namespace

DeviceGrids DeviceGrids::load(const std::filesystem::path& folder) {
  DeviceGrids grids;
  for (const Precision precision : table_precisions) {
    const std::size_t place = place_of(precision);
    if (const TimeTable points = read_gemm_table(folder, precision); !points.empty())
      grids.gemm[place] = gemm_grid(points);
    const std::vector<ExpertTable> tables = read_expert_tables(folder, precision);
    if (grids.gemm[place])
      for (const ExpertTable& table : tables)
        grids.experts[place].push_back(expert_grid(table, *grids.gemm[place]));
  }
  if (const TimeTable points = read_attention_table(folder); !points.empty())
    grids.attention = attention_grid(points);
  return grids;
}

TimeGrid gemm_grid(const TimeTable& points) {
  return {{Growth::linear, Growth::linear, Growth::linear}, points};
}

TimeGrid attention_grid(const TimeTable& points) {
  return {{Growth::linear, Growth::quadratic, Growth::linear, Growth::none, Growth::linear},
          points};
}

ExpertGrid expert_grid(ExpertTable table, const TimeGrid& gemm) {
  for (TimeGrid::Point& point : table.times)
    if (table.derived)
      point.seconds =
          std::max(point.seconds, single_seconds(table, gemm, point.shape[0] * point.shape[1]));
  TimeGrid times({Growth::linear, Growth::linear}, table.times);
  return {std::move(table), std::move(times)};
}

GroupedProduct grouped_product(const Kernel& kernel) {
  return {static_cast<double>(kernel.groups), static_cast<double>(kernel.m),
          static_cast<double>(kernel.n), static_cast<double>(kernel.k),
          kernel.kind == KernelKind::grouped_weight_gradient};
}

namespace {

/// Octaves of n plus octaves of k between a product's weight and the nearest one of a table.
double distance(const ExpertTable& table, double n, double k) {
  double nearest = std::numeric_limits<double>::infinity();
  for (const ExpertProduct& product : table.products) {
    const bool same = (product.n == n && product.k == k) || (product.n == k && product.k == n);
    if (same)
      return 0.0;
    const auto octaves = [&](double a, double b) {
      return std::abs(std::log2(a / product.n)) + std::abs(std::log2(b / product.k));
    };
    nearest = std::min({nearest, octaves(n, k), octaves(k, n)});
  }
  return nearest;
}

/// The time of a product by one table.
ExpertTime time_by(const ExpertGrid& experts, const TimeGrid& gemm, const GroupedProduct& product) {
  const TimeGrid& times = experts.times;
  const double groups = std::clamp(product.groups, times.lowest(ExpertGrid::groups_axis),
                                   times.highest(ExpertGrid::groups_axis));
  const double tokens = std::clamp(product.m, times.lowest(ExpertGrid::tokens_axis),
                                   times.highest(ExpertGrid::tokens_axis));
  const TimeGrid::Lookup grouped = times.at({groups, tokens});
  const double single = single_seconds(experts.table, gemm, groups * tokens);
  const double padded = std::max(product.m, tokens);
  const double factor = 1.0 + (grouped.seconds / single - 1.0) * tokens / padded;
  return {gemm.at({product.groups * padded, product.n, product.k}).seconds * factor,
          grouped.measured && groups == product.groups && tokens == product.m, false};
}

/// The tables of other experts, the nearest first; of equals, the first of the list.
std::vector<const ExpertGrid*> by_distance(const std::vector<ExpertGrid>& experts,
                                           const GroupedProduct& product) {
  std::vector<std::pair<double, const ExpertGrid*>> order;
  for (const ExpertGrid& candidate : experts)
    if (candidate.table.weight_gradient == product.weight_gradient)
      order.emplace_back(distance(candidate.table, product.n, product.k), &candidate);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const ExpertGrid*> tables;
  for (const auto& [unused, table] : order)
    tables.push_back(table);
  return tables;
}

/// The middle of the three nearest tables that cover the product; of the three nearest of all, if
/// none does.
std::optional<ExpertTime> middle_of_nearest(const std::vector<const ExpertGrid*>& tables,
                                            const TimeGrid& gemm, const GroupedProduct& product) {
  constexpr std::size_t count = 3;
  std::vector<ExpertTime> covering;
  std::vector<ExpertTime> nearest;
  for (const ExpertGrid* table : tables) {
    const ExpertTime time = time_by(*table, gemm, product);
    if (time.measured)
      covering.push_back(time);
    if (nearest.size() < count)
      nearest.push_back(time);
    if (covering.size() == count)
      break;
  }
  std::vector<ExpertTime>& chosen = covering.empty() ? nearest : covering;
  if (chosen.empty())
    return std::nullopt;
  std::sort(chosen.begin(), chosen.end(),
            [](const ExpertTime& a, const ExpertTime& b) { return a.seconds < b.seconds; });
  ExpertTime middle = chosen[(chosen.size() - 1) / 2];
  middle.other = true;
  return middle;
}

} // namespace

std::optional<ExpertTime> expert_time(const std::vector<ExpertGrid>& experts, const TimeGrid& gemm,
                                      const GroupedProduct& product) {
  for (const ExpertGrid& candidate : experts)
    if (candidate.table.weight_gradient == product.weight_gradient &&
        distance(candidate.table, product.n, product.k) == 0.0)
      return time_by(candidate, gemm, product);
  return middle_of_nearest(by_distance(experts, product), gemm, product);
}

} // namespace moesim
