#include "sim/cost/device_grids.hpp"

#include "sim/cost/merged_tables.hpp"

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

/// The weight of a GEMM's shape, (m, n, k).
TimeGrid::Shape gemm_weight(const TimeGrid::Shape& shape) {
  return {0.0, shape[1], shape[2]};
}

/// The heads of an attention's shape.
TimeGrid::Shape attention_heads(const TimeGrid::Shape& shape) {
  return {0.0, 0.0, shape[2], shape[3], shape[4]};
}

/// The grid of a pass of attention that was measured; nothing if it was not. `forward` stands in,
/// at `efficiency` times its rate.
std::optional<TimeGrid> measured_attention_grid(const TimeTable& measured, TimeTable forward,
                                                double efficiency) {
  if (measured.empty())
    return std::nullopt;
  for (TimeGrid::Point& point : forward)
    point.seconds /= efficiency;
  return attention_grid(merge_times(measured, forward, attention_grid, attention_heads));
}

} // namespace

void DeviceGrids::load_gemms(const std::filesystem::path& folder,
                             const std::vector<Lender>& lenders, Precisions precisions) {
  std::map<Precision, ProductTable> published = product_tables(folder, precisions);
  MeasuredGemms measured = read_measured_gemms(folder, precisions);
  std::map<Precision, std::vector<ExpertTable>> layers = read_expert_tables(folder, precisions);
  MeasuredExperts measured_experts = read_measured_experts(folder, precisions);
  for (const Precision precision : precisions) {
    const std::size_t number = index(precision);
    ProductTable& table = published[precision];
    std::vector<ExpertTable>& own_experts = measured_experts.tables[precision];
    if (table.products.empty() && !(measured.times[precision].empty() && own_experts.empty()))
      table.products = lent_gemms(lenders, precision);
    if (layers[precision].empty() && !own_experts.empty())
      layers[precision] = lent_experts(lenders, precision);
    gemm_points[number] =
        merge_times(measured.times[precision], table.products, gemm_grid, gemm_weight);
    casts[number] = std::move(table.casts);
    if (!gemm_points[number].empty()) {
      gemm[number] = gemm_grid(gemm_points[number]);
    } else if (precision == Precision::fp8_per_tensor) {
      gemm[number] = gemm[index(Precision::fp8)];
      casts[number] = casts[index(Precision::fp8)];
    }
    if (!gemm[number])
      continue;
    const bool own = !measured.times[precision].empty() && !table.products.empty();
    experts[number] = merge_experts(std::move(own_experts), std::move(layers[precision]),
                                    own ? gemm_grid(table.products) : *gemm[number], *gemm[number]);
  }
}

DeviceGrids DeviceGrids::load(const std::filesystem::path& folder, const AttentionRules& rules,
                              const std::vector<Lender>& lenders, Precisions precisions) {
  DeviceGrids grids;
  grids.load_gemms(folder, lenders, precisions);
  const MeasuredAttention measured = read_measured_attention(folder);
  TimeTable published = read_attention_table(folder);
  if (published.empty() && measured.any())
    published = lent_attention(lenders);
  TimeTable& forward = grids.attention_points;
  forward = merge_times(measured.forward, published, attention_grid, attention_heads);
  if (!forward.empty())
    grids.attention.forward = attention_grid(forward);
  const auto& [backward, latent] = rules;
  grids.attention.backward = measured_attention_grid(measured.backward, forward, backward);
  grids.attention.latent_forward =
      measured_attention_grid(measured.latent_forward, forward, latent);
  grids.attention.latent_backward =
      measured_attention_grid(measured.latent_backward, forward, latent * backward);
  return grids;
}

AttentionChoice choose_attention(const AttentionGrids& grids, const Kernel& kernel) {
  const bool backward = kernel.kind == KernelKind::attention_backward;
  const bool latent = kernel.head_dim != kernel.value_dim;
  if (latent && backward && grids.latent_backward)
    return {&*grids.latent_backward, false, false};
  if (latent && grids.latent_forward)
    return {&*grids.latent_forward, false, backward};
  if (!latent && backward && grids.backward)
    return {&*grids.backward, false, false};
  return {&*grids.forward, latent, backward};
}

AttentionRules attention_rules(const ComputeConstants& constants) {
  return {constants.attention_backward_efficiency_ratio.value,
          constants.attention_mla_efficiency_ratio.value};
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

namespace {

/// The pass of a grouped GEMM; forward for all other kinds of kernel.
GemmPass pass_of(KernelKind kind) {
  if (kind == KernelKind::grouped_data_gradient)
    return GemmPass::data_gradient;
  return kind == KernelKind::grouped_weight_gradient ? GemmPass::weight_gradient
                                                     : GemmPass::forward;
}

} // namespace

GroupedGemm grouped_gemm_of(const Kernel& kernel) {
  return {static_cast<double>(kernel.groups), static_cast<double>(kernel.m),
          static_cast<double>(kernel.n), static_cast<double>(kernel.k), pass_of(kernel.kind)};
}

bool has_weight(const ExpertTable& table, double n, double k) {
  return std::any_of(table.products.begin(), table.products.end(), [&](const auto& weight) {
    return (weight.n == n && weight.k == k) || (weight.n == k && weight.k == n);
  });
}

namespace {

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
          grouped.measured && groups == shape.groups && tokens == shape.m, experts.table.scaled,
          false};
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
    if (candidate.table.pass == shape.pass)
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

bool times_one_group(const std::vector<ExpertGrid>& experts, const GroupedGemm& shape) {
  return std::any_of(experts.begin(), experts.end(), [&](const ExpertGrid& candidate) {
    return candidate.table.pass == shape.pass && candidate.table.products.size() == 1 &&
           has_weight(candidate.table, shape.n, shape.k) &&
           candidate.times.lowest(ExpertGrid::groups_axis) <= 1.0;
  });
}

std::optional<ExpertTime> expert_time(const std::vector<ExpertGrid>& experts, const TimeGrid& gemm,
                                      const GroupedGemm& shape) {
  for (const ExpertGrid& candidate : experts)
    if (candidate.table.pass == shape.pass && has_weight(candidate.table, shape.n, shape.k))
      return time_by(candidate, gemm, shape);
  const std::vector<const ExpertGrid*> tables = nearest_tables(experts, shape);
  if (!tables.empty())
    return middle_time(tables, gemm, shape);
  if (shape.pass != GemmPass::data_gradient)
    return std::nullopt;
  GroupedGemm forward = shape;
  forward.pass = GemmPass::forward;
  return expert_time(experts, gemm, forward);
}

} // namespace moesim
