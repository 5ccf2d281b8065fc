#include "sim/cost/merged_tables.hpp"

#include "sim/base/median.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace moesim {

TimeTable merge_times(const TimeTable& measured, const TimeTable& published,
                      const std::function<TimeGrid(const TimeTable&)>& grid,
                      const ShapePart& part) {
  if (measured.empty() || published.empty())
    return measured.empty() ? published : measured;
  const TimeGrid known = grid(published);
  std::map<TimeGrid::Shape, std::vector<double>> ratios; // by part of the shape
  std::vector<double> all;
  std::set<TimeGrid::Shape> shapes;
  for (const auto& [shape, seconds] : measured) {
    shapes.insert(shape);
    const TimeGrid::Lookup found = known.at(shape);
    if (!found.measured)
      continue;
    all.push_back(seconds / found.seconds);
    ratios[part(shape)].push_back(all.back());
  }
  const double otherwise = all.empty() ? 1.0 : median(all);
  std::map<TimeGrid::Shape, double> medians;
  for (const auto& [of, own] : ratios)
    medians[of] = median(own);
  TimeTable merged = measured;
  for (const auto& [shape, seconds] : published) {
    if (shapes.contains(shape))
      continue;
    const auto near = medians.find(part(shape));
    merged.push_back({shape, seconds * (near == medians.end() ? otherwise : near->second)});
  }
  return merged;
}

namespace {

/// The median ratio of the measured times of a pass to the published ones of the same weights; 1 if
/// no table has their sizes.
double ratio_of(GemmPass pass, const std::vector<ExpertTable>& measured,
                const std::vector<ExpertGrid>& published, const TimeGrid& published_gemm) {
  std::vector<double> ratios;
  for (const ExpertTable& table : measured) {
    if (table.pass != pass)
      continue;
    const auto [n, k] = table.products.front();
    for (const auto& [shape, seconds] : table.times)
      if (const auto time =
              expert_time(published, published_gemm, {shape[0], shape[1], n, k, GemmPass::forward});
          time && time->measured && !time->other)
        ratios.push_back(seconds / time->seconds);
  }
  return ratios.empty() ? 1.0 : median(ratios);
}

/// A published table as a stand-in for a pass.
ExpertTable stand_in(const ExpertGrid& published, GemmPass pass, double ratio, bool scaled) {
  ExpertTable table = published.table; // its derived times are already raised
  table.pass = pass;
  table.derived = false;
  table.scaled = scaled;
  for (TimeGrid::Point& point : table.times)
    point.seconds *= ratio;
  return table;
}

} // namespace

std::vector<ExpertGrid> merge_experts(std::vector<ExpertTable> measured,
                                      std::vector<ExpertTable> published,
                                      const TimeGrid& published_gemm, const TimeGrid& gemm) {
  std::vector<ExpertGrid> known;
  for (ExpertTable& table : published)
    known.push_back(expert_grid(std::move(table), published_gemm));
  std::vector<ExpertTable> tables = measured;
  for (const GemmPass pass : enumerators<GemmPass>) {
    const bool has_pass = std::any_of(measured.begin(), measured.end(),
                                      [&](const auto& table) { return table.pass == pass; });
    if (!has_pass && pass != GemmPass::forward)
      continue; // times of forward passes serve it
    const double ratio = ratio_of(pass, measured, known, published_gemm);
    for (const ExpertGrid& grid : known) {
      const bool replaced = std::all_of(
          grid.table.products.begin(), grid.table.products.end(), [&](const ExpertWeight& weight) {
            return std::any_of(measured.begin(), measured.end(), [&](const ExpertTable& table) {
              return table.pass == pass && has_weight(table, weight.n, weight.k);
            });
          });
      if (!replaced)
        tables.push_back(stand_in(grid, pass, ratio, !measured.empty()));
    }
  }
  std::vector<ExpertGrid> merged;
  for (ExpertTable& table : tables)
    merged.push_back(expert_grid(std::move(table), gemm));
  return merged;
}

} // namespace moesim
