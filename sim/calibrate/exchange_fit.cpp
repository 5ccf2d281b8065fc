#include "sim/calibrate/exchange_fit.hpp"

#include "sim/base/median.hpp"
#include "sim/calibrate/network_fit.hpp"
#include "sim/cost/collective_table.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/cost/table_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

constexpr double smallest_compared = 1e6; // bytes

/// Stretches all times of a curve. Shares are rounded as they are written, so that a larger message
/// takes no less time.
void stretch(NetworkCurve& curve, double ratio) {
  constexpr double unit = 1e-4;
  double most = 1.0;
  Bytes last;
  for (NetworkCurve::Point& point : curve.points) {
    if (last.value > 0)
      most = std::min(1.0, most * static_cast<double>(point.message.value) /
                               static_cast<double>(last.value));
    const double units = std::min(std::round(point.share / ratio / unit), std::floor(most / unit));
    point.share = most = std::max(units, 1.0) * unit;
    last = point.message;
  }
  curve.limit = curve.limit / ratio;
  curve.base = curve.base * ratio;
  curve.per_peer = curve.per_peer * ratio;
}

/// The median ratio of measured to predicted time; 1 if no row is large enough.
double ratio_to(const NetworkCost& costs, const std::vector<Measurement>& exchanges) {
  std::vector<double> ratios;
  for (const Measurement& row : exchanges)
    if (row.size >= smallest_compared)
      ratios.push_back(row.time /
                       collective_time(costs, row.collective, row.bytes, row.group, row.links));
  return ratios.empty() ? 1.0 : median(ratios);
}

} // namespace

std::vector<Measurement> read_exchanges(const std::filesystem::path& device_folder,
                                        const DeviceRow& device) {
  const auto table = read_table(device_folder / measured_folder / "all_to_all.csv",
                                {"operation", "gpus", "distribution", "bytes", "time_us"});
  if (!table || device.scale_up.empty())
    return {};
  const std::string name = device_folder.filename().string();
  std::vector<Measurement> exchanges;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    if (table->view(row, table->column("operation")) != "nccl_all_to_all" ||
        table->view(row, table->column("distribution")) != "equal")
      continue;
    Measurement measured;
    measured.table = name + "/all_to_all.csv";
    measured.gpu = name;
    measured.links = {device.scale_up, device.scale_up_capacity, "", {}};
    measured.group = {table->integer(row, table->column("gpus")), 1};
    if (measured.group.ranks < 2)
      throw InputError(table->where(row, table->column("gpus")), "gpus: must be 2 or more");
    measured.collective = Collective::all_to_all;
    measured.size = table->positive_number(row, table->column("bytes"));
    measured.bytes = collective_bytes(measured.collective, measured.size, measured.group);
    measured.time = Seconds{seconds_at(*table, row, table->column("time_us"))};
    measured.fit = true;
    measured.source = measured.table;
    exchanges.push_back(measured);
  }
  return exchanges;
}

std::vector<NetworkCurve> fit_exchanges(const std::vector<Measurement>& exchanges,
                                        const std::vector<NetworkCurve>& known,
                                        const std::set<Collective>& measured) {
  if (exchanges.empty())
    return known;
  const double ratio = ratio_to(NetworkCost(known), exchanges);
  std::vector<NetworkCurve> curves = known;
  for (NetworkCurve& curve : curves)
    if (curve.interconnect == exchanges.front().interconnect() &&
        !measured.contains(curve.collective))
      stretch(curve, ratio);
  return fit_network(exchanges, curves);
}

} // namespace moesim
