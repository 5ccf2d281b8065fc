#include "sim/calibrate/table_errors.hpp"

#include "sim/base/median.hpp"
#include "sim/cost/compute_devices.hpp"
#include "sim/cost/device_grids.hpp"
#include "sim/cost/lent_tables.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>

namespace moesim {

namespace {

namespace fs = std::filesystem;
using Errors = std::vector<double>;

double error_of(double predicted, double measured) {
  return std::abs(predicted / measured - 1.0);
}

std::int64_t whole(double size) {
  return static_cast<std::int64_t>(size);
}

/// The rates of two GPU kinds between which times are scaled.
struct Move {
  PeakRates from;
  PeakRates to;
};

/// Makes the kernel of a grouped GEMM in a pass.
auto kernel_of(GemmPass pass) {
  switch (pass) {
  case GemmPass::forward:
    return grouped_gemm;
  case GemmPass::data_gradient:
    return grouped_data_gradient;
  case GemmPass::weight_gradient:
    break;
  }
  return grouped_weight_gradient;
}

/// The kernels of a table of experts at one of its points.
std::vector<Kernel> kernels_at(const ExpertTable& table, Precision precision,
                               const TimeGrid::Point& point) {
  std::vector<Kernel> kernels;
  for (const auto& [n, k] : table.products)
    kernels.push_back(kernel_of(table.pass)(KernelPart::expert, precision, whole(point.shape[0]),
                                            whole(point.shape[1]), whole(n), whole(k)));
  return kernels;
}

/// Predicts the time of a table's kernels at a point from the tables `experts` and `gemm` of a
/// device. `moved` scales it to the rates of another. Nothing if no table has the pass.
std::optional<double> layer_seconds(const ExpertTable& table, Precision precision,
                                    const TimeGrid::Point& point,
                                    const std::vector<ExpertGrid>& experts, const TimeGrid& gemm,
                                    const Move* moved = nullptr) {
  double seconds = 0.0;
  for (const Kernel& kernel : kernels_at(table, precision, point)) {
    const auto time = expert_time(experts, gemm, grouped_gemm_of(kernel));
    if (!time)
      return std::nullopt;
    seconds += time->seconds * (moved ? rate_ratio(kernel, moved->from, moved->to) : 1.0);
  }
  return seconds;
}

/// Adds the errors of points left out one at a time, and of points at the upper edges predicted
/// from the next smaller ones.
void add_grid_errors(const TimeGrid& grid, const TimeTable& points, std::size_t axes,
                     Errors& inside, Errors& edge) {
  for (const TimeGrid::Point& point : points) {
    if (const auto seconds = grid.left_out(point.shape))
      inside.push_back(error_of(*seconds, point.seconds));
    for (std::size_t axis = 0; axis < axes; ++axis)
      if (const auto seconds = grid.beyond(point.shape, axis))
        edge.push_back(error_of(*seconds, point.seconds));
  }
}

/// Adds the errors at the largest size of an axis, predicted from the table without it.
void add_expert_edge(const ExpertGrid& experts, Precision precision, const TimeGrid& gemm,
                     std::size_t axis, Errors& errors) {
  const double largest = experts.times.highest(axis);
  ExpertTable smaller = experts.table;
  std::erase_if(smaller.times, [&](const auto& point) { return point.shape[axis] == largest; });
  if (smaller.times.empty())
    return;
  const std::vector<ExpertGrid> grid = {expert_grid(smaller, gemm)};
  for (const TimeGrid::Point& point : experts.table.times)
    if (point.shape[axis] == largest)
      errors.push_back(
          error_of(*layer_seconds(smaller, precision, point, grid, gemm), point.seconds));
}

/// Adds the errors of a table of experts, predicted from the other tables.
void add_other_experts(const ExpertGrid& left_out, const std::vector<ExpertGrid>& all,
                       Precision precision, const TimeGrid& gemm, Errors& errors) {
  std::vector<ExpertGrid> others;
  for (const ExpertGrid& candidate : all)
    if (candidate.table.name != left_out.table.name)
      others.push_back(candidate);
  for (const TimeGrid::Point& point : left_out.table.times)
    if (const auto seconds = layer_seconds(left_out.table, precision, point, others, gemm))
      errors.push_back(error_of(*seconds, point.seconds));
}

/// Collects the errors of all tables by device, table and case.
class Collector {
public:
  explicit Collector(fs::path calibration)
      : calibration_(std::move(calibration)), kinds_(GpuKinds::read(calibration_)),
        rules_(attention_rules(ComputeConstants::read(calibration_ / "compute_constants.csv"))) {}

  std::vector<TableError> measure() {
    const std::vector<std::string>& devices = kinds_.measured;
    for (const Precision precision : tabled_precisions)
      for (const char* table : {"gemm", "expert"})
        errors("any", table, precision, ErrorCase::other_device);
    errors("any", "attention", Precision::bf16, ErrorCase::other_device);
    for (const std::string& device : devices)
      add_device(device);
    for (const auto& [device, row] : kinds_.rows)
      if (std::find(devices.begin(), devices.end(), device) != devices.end())
        add_neighbour(device, row);
    return summary();
  }

private:
  struct Key {
    std::string device;
    std::string table;
    Precision precision;
    ErrorCase error_case;
    auto operator<=>(const Key&) const = default;
  };

  Errors& errors(const std::string& device, const char* table, Precision precision,
                 ErrorCase error_case) {
    return errors_[{device, table, precision, error_case}];
  }
  DeviceGrids load_grids(const std::string& device) const {
    return DeviceGrids::load(calibration_ / device, rules_, lenders_of(kinds_, device));
  }
  void add_device(const std::string& device);
  void add_experts(const std::string& device, Precision precision, const DeviceGrids& grids);
  void add_neighbour(const std::string& device, const DeviceRow& row);
  void add_transfer(const DeviceGrids& from, const PeakRates& there, const std::string& device,
                    const PeakRates& here);
  std::vector<TableError> summary() const;

  fs::path calibration_;
  GpuKinds kinds_;
  AttentionRules rules_;
  std::map<Key, Errors> errors_;
};

void Collector::add_device(const std::string& device) {
  const DeviceGrids grids = load_grids(device);
  for (const Precision precision : tabled_precisions) {
    if (const TimeTable& points = grids.gemm_points[index(precision)]; !points.empty())
      add_grid_errors(*grids.gemm[index(precision)], points, 3,
                      errors(device, "gemm", precision, ErrorCase::inside),
                      errors(device, "gemm", precision, ErrorCase::edge));
    if (!grids.experts[index(precision)].empty())
      add_experts(device, precision, grids);
  }
  if (grids.attention.forward)
    add_grid_errors(*grids.attention.forward, grids.attention_points, 5,
                    errors(device, "attention", Precision::bf16, ErrorCase::inside),
                    errors(device, "attention", Precision::bf16, ErrorCase::edge));
}

void Collector::add_experts(const std::string& device, Precision precision,
                            const DeviceGrids& grids) {
  const TimeGrid& gemm = *grids.gemm[index(precision)];
  const std::vector<ExpertGrid>& all = grids.experts[index(precision)];
  Errors& inside = errors(device, "expert", precision, ErrorCase::inside);
  Errors& edge = errors(device, "expert", precision, ErrorCase::edge);
  Errors& others = errors(device, "expert", precision, ErrorCase::other_experts);
  for (const ExpertGrid& experts : all) {
    for (const TimeGrid::Point& point : experts.table.times)
      if (const auto seconds = experts.times.left_out(point.shape))
        inside.push_back(error_of(*seconds, point.seconds));
    add_expert_edge(experts, precision, gemm, ExpertGrid::groups_axis, edge);
    add_expert_edge(experts, precision, gemm, ExpertGrid::tokens_axis, edge);
    add_other_experts(experts, all, precision, gemm, others);
  }
}

/// Adds the errors of a device's times, predicted from the tables of the first kind that it borrows
/// from.
void Collector::add_neighbour(const std::string& device, const DeviceRow& row) {
  const std::map<std::string, DeviceRow>& rows = kinds_.rows;
  for (const std::string& from : row.borrows)
    if (const auto lender = rows.find(from); lender != rows.end()) {
      add_transfer(load_grids(from), lender->second.peaks, device, row.peaks);
      return;
    }
}

void Collector::add_transfer(const DeviceGrids& from, const PeakRates& there,
                             const std::string& device, const PeakRates& here) {
  const DeviceGrids own = load_grids(device);
  const Move move{there, here};
  for (const Precision precision : tabled_precisions) {
    const std::size_t number = index(precision);
    if (from.gemm[number])
      for (const auto& [shape, seconds] : own.gemm_points[number])
        if (const auto found = from.gemm[number]->at(shape); found.measured) {
          const Kernel kernel = gemm_of_shape(precision, shape);
          errors("any", "gemm", precision, ErrorCase::other_device)
              .push_back(error_of(found.seconds * rate_ratio(kernel, there, here), seconds));
        }
    for (const ExpertGrid& experts : own.experts[number])
      for (const TimeGrid::Point& point : experts.table.times)
        if (const auto seconds = layer_seconds(experts.table, precision, point,
                                               from.experts[number], *from.gemm[number], &move))
          errors("any", "expert", precision, ErrorCase::other_device)
              .push_back(error_of(*seconds, point.seconds));
  }
  if (from.attention.forward)
    for (const auto& [shape, seconds] : own.attention_points)
      if (const auto found = from.attention.forward->at(shape); found.measured) {
        const Kernel kernel = attention_of_shape(shape);
        errors("any", "attention", Precision::bf16, ErrorCase::other_device)
            .push_back(error_of(found.seconds * rate_ratio(kernel, there, here), seconds));
      }
}

std::vector<TableError> Collector::summary() const {
  std::map<std::string, double> largest; // largest error by table
  for (const auto& [key, errors] : errors_)
    if (!errors.empty())
      largest[key.table] = std::max(largest[key.table], 100.0 * percentile(errors, 0.9));
  std::vector<TableError> summary;
  for (const auto& [key, errors] : errors_) {
    TableError row{key.device, key.table, key.precision, key.error_case, errors.size(), 0.0, 0.0};
    if (errors.empty()) {
      const auto known = largest.find(key.table);
      row.median_percent = row.p90_percent = known == largest.end() ? 100.0 : known->second;
    } else {
      row.median_percent = 100.0 * median(errors);
      row.p90_percent = 100.0 * percentile(errors, 0.9);
    }
    summary.push_back(row);
  }
  return summary;
}

} // namespace

std::vector<TableError> table_errors(const fs::path& calibration) {
  return Collector(calibration).measure();
}

} // namespace moesim
