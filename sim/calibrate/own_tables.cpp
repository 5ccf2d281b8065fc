#include "sim/calibrate/own_tables.hpp"

#include "sim/base/median.hpp"
#include "sim/cost/compute_devices.hpp"
#include "sim/cost/device_grids.hpp"
#include "sim/cost/measured_tables.hpp"
#include "sim/cost/product_table.hpp"

#include <cmath>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// Adds a row of ratios, published time over ours, unless there are none.
void add_row(std::vector<TableComparison>& comparisons, TableComparison row,
             const std::vector<double>& ratios) {
  if (ratios.empty())
    return;
  std::vector<double> errors;
  for (const double ratio : ratios) {
    errors.push_back(100.0 * std::abs(ratio - 1.0));
    row.far_off += errors.back() > 10.0 ? 1 : 0;
  }
  row.rows = ratios.size();
  row.median_ratio = median(ratios);
  row.p90_percent = percentile(errors, 0.9);
  comparisons.push_back(std::move(row));
}

void compare_experts(std::vector<TableComparison>& comparisons, const fs::path& folder,
                     Precision precision, const TimeGrid& gemm) {
  std::vector<ExpertGrid> published;
  std::map<Precision, std::vector<ExpertTable>> layers = read_expert_tables(folder);
  for (ExpertTable& table : layers[precision])
    published.push_back(expert_grid(std::move(table), gemm));
  const MeasuredExperts measured = read_measured_experts(folder);
  const auto tables = measured.tables.find(precision);
  if (tables == measured.tables.end())
    return;
  for (const ExpertTable& own : tables->second) {
    const auto [n, k] = own.products.front();
    std::vector<double> ratios;
    for (const auto& [shape, seconds] : own.times)
      if (const auto time = expert_time(published, gemm, {shape[0], shape[1], n, k, own.pass});
          time && time->measured && !time->other)
        ratios.push_back(time->seconds / seconds);
    add_row(comparisons, {folder.filename().string(), own.name, precision, 0, 0.0, 0.0, 0}, ratios);
  }
}

} // namespace

std::vector<TableComparison> compare_own_tables(const fs::path& calibration) {
  std::vector<TableComparison> comparisons;
  for (const std::string& device : measured_kinds(calibration)) {
    const fs::path folder = calibration / device;
    std::map<Precision, ProductTable> products = product_tables(folder);
    MeasuredGemms own = read_measured_gemms(folder);
    for (const Precision precision : tabled_precisions) {
      const TimeTable& points = products[precision].products;
      if (points.empty())
        continue;
      const TimeGrid published = gemm_grid(points);
      std::vector<double> ratios;
      for (const auto& [shape, seconds] : own.times[precision])
        if (const TimeGrid::Lookup found = published.at(shape); found.measured)
          ratios.push_back(found.seconds / seconds);
      add_row(comparisons, {device, "gemm", precision, 0, 0.0, 0.0, 0}, ratios);
      compare_experts(comparisons, folder, precision, published);
    }
  }
  return comparisons;
}

} // namespace moesim
