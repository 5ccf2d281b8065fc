#include "sim/cost/product_table.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <unordered_map>

namespace moesim {

namespace {

constexpr std::size_t m_axis = 0;
constexpr std::size_t n_axis = 1;
constexpr std::size_t k_axis = 2;

/// Bytes that a cast of the tables' kernels moves for each value: read in bf16, written in fp8.
/// With one scale a tensor it is read once more before, for the largest value.
double bytes_cast(Precision precision) {
  return precision == Precision::fp8_per_tensor ? 5.0 : 3.0;
}

/// Times of the casts, from the narrowest GEMMs of an fp8 table; empty if the bf16 table has none
/// of these shapes.
TimeTable casts_of(const TimeTable& fp8, const TimeTable& bf16, double shortest) {
  const auto hash = [](const TimeGrid::Shape& shape) {
    std::size_t sum = 0;
    for (const std::size_t axis : {m_axis, n_axis, k_axis})
      sum = (sum ^ std::hash<double>{}(shape[axis])) * 0x9e3779b97f4a7c15U;
    return sum;
  };
  std::unordered_map<TimeGrid::Shape, double, decltype(hash)> known(bf16.size(), hash);
  for (const auto& [shape, seconds] : bf16)
    known.emplace(shape, seconds);
  double narrowest = std::numeric_limits<double>::infinity();
  for (const TimeGrid::Point& point : fp8)
    if (known.contains(point.shape))
      narrowest = std::min(narrowest, point.shape[n_axis]);
  TimeTable casts;
  for (const auto& [shape, seconds] : fp8) {
    const auto half = known.find(shape);
    if (shape[n_axis] != narrowest || half == known.end())
      continue;
    const double product = std::max(half->second / 2.0, shortest);
    if (seconds > product)
      casts.push_back({{shape[m_axis], shape[k_axis]}, seconds - product});
  }
  return casts;
}

/// Splits a table into GEMMs and the casts that were timed with them.
ProductTable without_casts(const TimeTable& products, const TimeTable& bf16, Precision precision) {
  ProductTable table{products, std::nullopt};
  if (!is_quantised(precision) || bf16.empty())
    return table;
  const double shortest =
      std::min_element(bf16.begin(), bf16.end(), [](const auto& a, const auto& b) {
        return a.seconds < b.seconds;
      })->seconds;
  const TimeTable casts = casts_of(table.products, bf16, shortest);
  if (casts.empty())
    return table;
  TimeGrid times({Growth::linear, Growth::linear}, casts);
  for (auto& [shape, seconds] : table.products)
    seconds = std::max(seconds - times.at({shape[m_axis], shape[k_axis]}).seconds, shortest);
  table.casts = CastGrid{std::move(times), bytes_cast(precision)};
  return table;
}

} // namespace

std::map<Precision, ProductTable> product_tables(const std::filesystem::path& folder,
                                                 Precisions precisions) {
  const std::map<Precision, TimeTable> tables = read_gemm_tables(folder, precisions);
  const auto found = tables.find(Precision::bf16);
  const TimeTable bf16 = found == tables.end() ? TimeTable{} : found->second;
  std::map<Precision, ProductTable> products;
  for (const auto& [precision, table] : tables)
    products[precision] = without_casts(table, bf16, precision);
  return products;
}

} // namespace moesim
