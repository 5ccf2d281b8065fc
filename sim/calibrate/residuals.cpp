#include "sim/calibrate/residuals.hpp"

#include "sim/base/median.hpp"
#include "sim/cost/collective_table.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

namespace moesim {

namespace {

constexpr double smallest_size = 1e6;

/// Error of predicted over measured, in percent.
double error_of(const NetworkCost& costs, const Measurement& row) {
  const Seconds time = collective_time(costs, row.collective, row.bytes, row.group, row.links);
  return 100.0 * (time / row.time - 1.0);
}

} // namespace

std::vector<TableResidual> table_residuals(const NetworkCost& costs,
                                           const std::vector<Measurement>& measurements) {
  std::vector<TableResidual> residuals;
  std::vector<std::vector<double>> errors;
  for (const Measurement& row : measurements) {
    if (row.size < smallest_size)
      continue;
    const auto known = std::find_if(residuals.begin(), residuals.end(), [&](const auto& other) {
      return other.table == row.table && other.collective == row.collective;
    });
    const auto number = static_cast<std::size_t>(known - residuals.begin());
    if (known == residuals.end()) {
      residuals.push_back(
          {row.table, row.interconnect(), row.collective, row.group.ranks, row.fit, 0, 0.0, 0.0});
      errors.emplace_back();
    }
    const double error = error_of(costs, row);
    TableResidual& residual = residuals[number];
    ++residual.rows;
    if (std::abs(error) > std::abs(residual.largest_error_percent))
      residual.largest_error_percent = error;
    errors[number].push_back(std::abs(error));
  }
  for (std::size_t i = 0; i < residuals.size(); ++i)
    residuals[i].median_error_percent = median(errors[i]);
  return residuals;
}

std::vector<GroupResidual> group_residuals(const NetworkCost& costs,
                                           const std::vector<Measurement>& measurements) {
  struct Group {
    Collective collective{};
    std::vector<double> errors;
    std::set<std::string> tables;
  };
  std::map<std::tuple<Tier, std::string, std::size_t>, Group> groups; // by tier, interconnect group
                                                                      // and row of the collective
  for (const Measurement& row : measurements) {
    if (row.fit || row.size < smallest_size)
      continue;
    const Collective pattern = row.collective == Collective::all_reduce_in_switch
                                   ? Collective::all_reduce
                                   : row.collective;
    const bool nvlink = row.interconnect().starts_with("nvlink");
    Group& group = groups[{row.tier, nvlink ? "nvlink" : row.interconnect(), row_index(pattern)}];
    group.collective = pattern;
    group.errors.push_back(std::abs(error_of(costs, row)));
    group.tables.insert(row.table);
  }
  std::vector<GroupResidual> residuals;
  for (const auto& [key, group] : groups)
    residuals.push_back({std::get<1>(key), group.collective, group.tables.size(),
                         group.errors.size(), median(group.errors)});
  return residuals;
}

void set_errors(std::vector<NetworkCurve>& curves, const std::vector<Measurement>& measurements) {
  const NetworkCost costs(curves);
  for (NetworkCurve& curve : curves) {
    std::vector<double> errors;
    for (const Measurement& row : measurements)
      if (row.size >= smallest_size && row.interconnect() == curve.interconnect &&
          row.curve_collective() == curve.collective)
        errors.push_back(std::abs(error_of(costs, row)));
    if (!errors.empty())
      curve.p90_error_percent = percentile(errors, 0.9);
  }
}

} // namespace moesim
