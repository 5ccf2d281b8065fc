#include "sim/cost/device_grids.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moesim {

namespace {

/// Time of a table's GEMMs as single GEMMs of `rows` rows.
double single_seconds(const ExpertTable& table, const TimeGrid& gemm, double rows) {
  double seconds = 0.0;
  for (const ExpertWeight& weight : table.products)
    seconds += gemm.at({rows, weight.n, weight.k}).seconds;
  return seconds;
}

} // namespace

DeviceGrids DeviceGrids::load(const std::filesystem::path& folder, Precisions precisions) {
  DeviceGrids grids;
  std::map<Precision, ProductTable> products = product_tables(folder, precisions);
  std::map<Precision, std::vector<ExpertTable>> tables = read_expert_tables(folder, precisions);
  for (const Precision precision : precisions) {
    const std::size_t number = index(precision);
    if (const auto found = products.find(precision); found != products.end()) {
      grids.gemm[number] = gemm_grid(found->second.products);
      grids.casts[number] = std::move(found->second.casts);
    } else if (precision == Precision::fp8_per_tensor) {
      grids.gemm[number] = grids.gemm[index(Precision::fp8)];
      grids.casts[number] = grids.casts[index(Precision::fp8)];
    }
    if (grids.gemm[number])
      for (ExpertTable& table : tables[precision])
        grids.experts[number].push_back(expert_grid(std::move(table), *grids.gemm[number]));
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
  std::vector<ExpertWeight> octaves;
  for (const auto& [n, k] : table.products)
    octaves.push_back({std::log2(n), std::log2(k)});
  TimeGrid times({Growth::linear, Growth::linear}, table.times);
  return {std::move(table), std::move(octaves), std::move(times)};
}

GroupedGemm grouped_gemm_of(const Kernel& kernel) {
  return {static_cast<double>(kernel.groups), static_cast<double>(kernel.m),
          static_cast<double>(kernel.n), static_cast<double>(kernel.k),
          kernel.kind == KernelKind::grouped_weight_gradient};
}

namespace {

/// Whether a table timed that weight, as stored or transposed.
bool has_weight(const ExpertTable& table, double n, double k) {
  return std::any_of(table.products.begin(), table.products.end(), [&](const auto& weight) {
    return (weight.n == n && weight.k == k) || (weight.n == k && weight.k == n);
  });
}

/// Distance of a weight from the nearest weight of a table: octaves of n plus octaves of k.
/// `weight` holds log2 of its sizes.
double distance(const ExpertGrid& experts, const ExpertWeight& weight) {
  double nearest = std::numeric_limits<double>::infinity();
  for (const auto& [n, k] : experts.octaves)
    nearest = std::min({nearest, std::abs(weight.n - n) + std::abs(weight.k - k),
                        std::abs(weight.k - n) + std::abs(weight.n - k)});
  return nearest;
}

bool covers(const ExpertGrid& experts, const GroupedGemm& shape) {
  return experts.times.at({shape.groups, shape.m}).measured;
}

/// The time of a grouped GEMM by one table.
ExpertTime time_by(const ExpertGrid& experts, const TimeGrid& gemm, const GroupedGemm& shape) {
  const TimeGrid& times = experts.times;
  const double groups = std::clamp(shape.groups, times.lowest(ExpertGrid::groups_axis),
                                   times.highest(ExpertGrid::groups_axis));
  const double tokens = std::clamp(shape.m, times.lowest(ExpertGrid::tokens_axis),
                                   times.highest(ExpertGrid::tokens_axis));
  const TimeGrid::Lookup grouped = times.at({groups, tokens});
  const double single = single_seconds(experts.table, gemm, groups * tokens);
  const double padded = std::max(shape.m, tokens);
  const double factor = 1.0 + (grouped.seconds / single - 1.0) * tokens / padded;
  return {gemm.at({shape.groups * padded, shape.n, shape.k}).seconds * factor,
          grouped.measured && groups == shape.groups && tokens == shape.m, false};
}

/// The three nearest tables of the pass that cover the groups and tokens; if none does, the three
/// nearest of the pass. Of equally near tables, the first of the list.
std::vector<const ExpertGrid*> nearest_tables(const std::vector<ExpertGrid>& experts,
                                              const GroupedGemm& shape) {
  constexpr std::size_t count = 3;
  const ExpertWeight weight{std::log2(shape.n), std::log2(shape.k)};
  std::vector<std::pair<double, const ExpertGrid*>> order;
  order.reserve(experts.size());
  for (const ExpertGrid& candidate : experts)
    if (candidate.table.weight_gradient == shape.weight_gradient)
      order.emplace_back(distance(candidate, weight), &candidate);
  // The pointers keep the order of the list, as its tables are contiguous.
  std::sort(order.begin(), order.end());
  std::vector<const ExpertGrid*> tables;
  for (std::size_t i = 0; i < order.size() && tables.size() < count; ++i)
    if (covers(*order[i].second, shape))
      tables.push_back(order[i].second);
  for (std::size_t i = 0; tables.empty() && i < std::min(count, order.size()); ++i)
    tables.push_back(order[i].second);
  return tables;
}

/// The median of the tables' times; there must be at least one table.
ExpertTime middle_time(const std::vector<const ExpertGrid*>& tables, const TimeGrid& gemm,
                       const GroupedGemm& shape) {
  std::vector<ExpertTime> times;
  for (const ExpertGrid* table : tables)
    times.push_back(time_by(*table, gemm, shape));
  std::sort(times.begin(), times.end(),
            [](const ExpertTime& a, const ExpertTime& b) { return a.seconds < b.seconds; });
  ExpertTime middle = times[(times.size() - 1) / 2];
  middle.other = true;
  return middle;
}

} // namespace

std::optional<ExpertTime> expert_time(const std::vector<ExpertGrid>& experts, const TimeGrid& gemm,
                                      const GroupedGemm& shape) {
  for (const ExpertGrid& candidate : experts)
    if (candidate.table.weight_gradient == shape.weight_gradient &&
        has_weight(candidate.table, shape.n, shape.k))
      return time_by(candidate, gemm, shape);
  const std::vector<const ExpertGrid*> tables = nearest_tables(experts, shape);
  if (tables.empty())
    return std::nullopt;
  return middle_time(tables, gemm, shape);
}

} // namespace moesim
