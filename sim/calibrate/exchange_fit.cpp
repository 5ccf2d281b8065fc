#include "sim/calibrate/exchange_fit.hpp"

#include "sim/base/median.hpp"
#include "sim/calibrate/network_fit.hpp"
#include "sim/cost/collective_table.hpp"
#include "sim/cost/measured_tables.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/cost/table_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

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

/// The ratios of measured to predicted time of rows that are large enough; 1 if none is.
std::vector<double> ratios_to(const NetworkCost& costs, const std::vector<Measurement>& exchanges) {
  std::vector<double> ratios;
  for (const Measurement& row : exchanges)
    if (row.size >= smallest_compared)
      ratios.push_back(row.time /
                       collective_time(costs, row.collective, row.bytes, row.group, row.links));
  return ratios.empty() ? std::vector{1.0} : ratios;
}

/// A measurement of NCCL by cuda_microbench.
Measurement measured_by(const std::string& table, const std::string& gpu, Collective collective,
                        const RankGroup& group, const RankLinks& links) {
  Measurement measured;
  measured.table = measured.source = table;
  measured.gpu = gpu;
  measured.collective = collective;
  measured.group = group;
  measured.links = links;
  measured.tier = group.domains > 1 ? Tier::scale_out : Tier::scale_up;
  measured.fit = true;
  return measured;
}

/// Reads the size and the time of a row.
void read_times(const CsvTable& table, std::size_t row, Measurement& measured) {
  measured.size = table.positive_number(row, table.column("bytes"));
  measured.bytes = collective_bytes(measured.collective, measured.size, measured.group);
  measured.time = Seconds{seconds_at(table, row, table.column("time_us"))};
}

/// Throws InputError at a row whose links have no name.
void expect_links(const CsvTable& table, std::size_t row, const char* column,
                  const std::string& interconnect) {
  if (interconnect.empty())
    throw InputError(table.where(row, table.column(column)),
                     "neither the file nor the GPU's row of gpus.csv names the links",
                     "say --topology topologies/hgx-h100-ndr400.toml, or your own file");
}

/// The names of the tables of some rows, each once, with spaces between.
std::string joined_tables(const std::vector<Measurement>& rows) {
  std::set<std::string> names;
  for (const Measurement& row : rows)
    names.insert(row.table);
  return fmt::format("{}", fmt::join(names, " "));
}

std::int64_t ranks_at(const CsvTable& table, std::size_t row, const char* column) {
  const std::int64_t ranks = table.integer(row, table.column(column));
  if (ranks < 2)
    throw InputError(table.where(row, table.column(column)),
                     fmt::format("{}: must be 2 or more", column));
  return ranks;
}

} // namespace

std::vector<Measurement> read_exchanges(const std::filesystem::path& device_folder,
                                        const RankLinks& links) {
  const auto table = read_table(device_folder / measured_folder / "all_to_all.csv",
                                {"operation", "gpus", "distribution", "bytes", "time_us"});
  std::vector<Measurement> exchanges;
  const std::string gpu = device_folder.filename().string();
  for (std::size_t row = 0; table && row < table->rows(); ++row) {
    if (table->view(row, table->column("operation")) != "nccl_all_to_all" ||
        table->view(row, table->column("distribution")) != "equal")
      continue;
    expect_links(*table, row, "gpus", links.scale_up);
    exchanges.push_back(measured_by(gpu + "/all_to_all.csv", gpu, Collective::all_to_all,
                                    {ranks_at(*table, row, "gpus"), 1}, links));
    read_times(*table, row, exchanges.back());
  }
  return exchanges;
}

std::vector<Measurement> read_collectives(const std::filesystem::path& device_folder,
                                          const RankLinks& links) {
  const auto table =
      read_table(device_folder / measured_folder / "collectives.csv",
                 {"collective", "distribution", "ranks", "nodes", "bytes", "time_us"});
  std::vector<Measurement> measurements;
  const std::string gpu = device_folder.filename().string();
  for (std::size_t row = 0; table && row < table->rows(); ++row) {
    if (table->view(row, table->column("distribution")) != "equal")
      continue;
    expect_links(*table, row, "nodes", links.scale_up);
    const std::int64_t nodes = whole_at(*table, row, table->column("nodes"));
    if (nodes > 1 && links.scale_out.empty())
      throw InputError(table->where(row, table->column("nodes")),
                       "the file does not name the network between nodes",
                       "say --topology topologies/hgx-h100-ndr400.toml, or your own file");
    const Collective collective = collective_named(table->choice(
        row, table->column("collective"),
        {"all_to_all", "all_gather", "reduce_scatter", "all_reduce", "point_to_point"}));
    measurements.push_back(measured_by(gpu + "/collectives.csv", gpu, collective,
                                       {ranks_at(*table, row, "ranks"), nodes}, links));
    read_times(*table, row, measurements.back());
  }
  return measurements;
}

std::vector<NetworkCurve> stretch_interconnect(const std::vector<Measurement>& exchanges,
                                               const std::vector<NetworkCurve>& known,
                                               const std::set<CurveName>& measured) {
  std::map<std::string, std::vector<Measurement>> by_interconnect;
  for (const Measurement& row : exchanges)
    by_interconnect[row.interconnect()].push_back(row);
  const NetworkCost costs(known);
  std::vector<NetworkCurve> curves = known;
  for (const auto& [interconnect, rows] : by_interconnect) {
    const double ratio = median(ratios_to(costs, rows));
    for (NetworkCurve& curve : curves)
      if (curve.interconnect == interconnect &&
          !measured.contains({interconnect, curve.collective}))
        stretch(curve, ratio);
  }
  return curves;
}

std::vector<NetworkCurve> slow_other_all_reduces(const std::vector<Measurement>& rows,
                                                 const std::vector<NetworkCurve>& known) {
  const NetworkCost costs(known);
  std::vector<NetworkCurve> curves = known;
  for (const Collective other :
       {Collective::all_reduce, Collective::all_reduce_tree, Collective::all_reduce_in_switch}) {
    std::map<CurveName, std::vector<Measurement>> by_curve;
    for (Measurement row : rows) {
      if (row.collective.pattern != Pattern::all_reduce || row.collective == other)
        continue;
      row.collective = other;
      row.bytes = collective_bytes(other, row.size, row.group);
      by_curve[curve_name(row)].push_back(row);
    }
    for (const auto& [name, own] : by_curve) {
      const std::vector<double> ratios = ratios_to(costs, own);
      const double ratio = *std::max_element(ratios.begin(), ratios.end());
      for (NetworkCurve& curve : curves)
        if (ratio > 1.0 && CurveName{curve.interconnect, curve.collective} == name)
          stretch(curve, ratio);
    }
  }
  return curves;
}

std::vector<NetworkCurve> stretch_token_exchanges(const std::vector<Measurement>& rows,
                                                  const std::vector<NetworkCurve>& known) {
  std::map<CurveName, std::vector<Measurement>> by_curve;
  for (const Measurement& row : rows)
    by_curve[curve_name(row)].push_back(row);
  const NetworkCost costs(known);
  std::map<CurveName, NetworkCurve> curves;
  for (const NetworkCurve& curve : known)
    curves[{curve.interconnect, curve.collective}] = curve;
  for (const auto& [name, own] : by_curve) {
    NetworkCurve curve = costs.curve(name.first, name.second);
    std::tie(curve.interconnect, curve.collective) = name;
    stretch(curve, median(ratios_to(costs, own)));
    curve.tables = joined_tables(own);
    curve.provenance = "fitted";
    curves[name] = curve;
  }
  return in_table_order(curves);
}

} // namespace moesim
