#include "sim/cost/network_cost.hpp"

#include "sim/base/check.hpp"
#include "sim/cost/provenance.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace moesim {

namespace {

std::string interconnect_at(const CsvTable& table, std::size_t row) {
  return table.choice(row, table.column("medium"), interconnect_names());
}

Collective collective_at(const CsvTable& table, std::size_t row) {
  return collective_named(
      table.choice(row, table.column("collective"), measured_collective_names()));
}

double not_negative(const CsvTable& table, std::size_t row, const std::string& column) {
  return table.not_negative_number(row, table.column(column));
}

Bytes bytes_at(const CsvTable& table, std::size_t row, const std::string& column) {
  const std::size_t number = table.column(column);
  const std::int64_t value = table.integer(row, number);
  if (value <= 0)
    throw InputError(table.where(row, number), fmt::format("{}: must be more than 0", column));
  return {value};
}

/// Interconnects whose costs apply to a collective that was not measured on this one, nearest
/// first.
const std::vector<std::string>& nearest_interconnects(const std::string& interconnect) {
  static const std::map<std::string, std::vector<std::string>> nearest = {
      {"nvlink3", {"nvlink3", "nvlink4", "nvlink5"}},
      {"nvlink4", {"nvlink4", "nvlink3", "nvlink5"}},
      {"nvlink5", {"nvlink5", "nvlink4", "nvlink3"}},
      {"nvlink6", {"nvlink6", "nvlink5", "nvlink4", "nvlink3"}},
      {"xgmi", {"xgmi", "nvlink4", "nvlink3", "nvlink5"}},
      {"pcie", {"pcie", "nvlink3", "nvlink4", "nvlink5"}},
      {"infiniband", {"infiniband", "roce", "efa"}},
      {"roce", {"roce", "infiniband", "efa"}},
      {"efa", {"efa", "infiniband", "roce"}}};
  const auto found = nearest.find(interconnect);
  INVARIANT(found != nearest.end(), "medium {}", interconnect);
  return found->second;
}

void check_point(const CsvTable& table, std::size_t row, const NetworkCurve& curve,
                 const NetworkCurve::Point& point) {
  const std::size_t efficiency = table.column("efficiency");
  if (point.share > 1.0)
    throw InputError(table.where(row, efficiency),
                     fmt::format("efficiency: {} is more than 1", table.text(row, efficiency)));
  if (curve.points.empty())
    return;
  const NetworkCurve::Point& last = curve.points.back();
  if (point.message <= last.message)
    throw InputError(table.where(row, table.column("message_bytes")),
                     "message_bytes: sizes must rise");
  if (static_cast<double>(point.message.value) / point.share <
      static_cast<double>(last.message.value) / last.share)
    throw InputError(table.where(row, efficiency),
                     "efficiency: a larger message must not take less time");
}

} // namespace

void NetworkCost::read_startup(const std::filesystem::path& path) {
  const CsvTable table = CsvTable::read(path);
  table.expect_columns({"medium", "collective", "base_us", "per_peer_us", "small_group_loss",
                        "limit_gbyte_per_s", "smallest_message_bytes", "largest_message_bytes",
                        "members_min", "members_max", "residual_percent", "p90_error_percent",
                        "provenance", "tables"});
  for (std::size_t row = 0; row < table.rows(); ++row) {
    check_provenance(table, row);
    NetworkCurve curve;
    curve.interconnect = interconnect_at(table, row);
    curve.collective = collective_at(table, row);
    for (const NetworkCurve& other : curves_)
      if (other.interconnect == curve.interconnect && other.collective == curve.collective)
        throw InputError(table.where(row, table.column("collective")),
                         fmt::format("collective: \"{}\" on {} is given twice",
                                     collective_name(curve.collective), curve.interconnect));
    curve.base = microseconds(not_negative(table, row, "base_us"));
    curve.per_peer = microseconds(not_negative(table, row, "per_peer_us"));
    curve.small_group_loss = table.number(row, table.column("small_group_loss"));
    curve.limit = gbyte_per_s(not_negative(table, row, "limit_gbyte_per_s"));
    curve.smallest = bytes_at(table, row, "smallest_message_bytes");
    curve.largest = bytes_at(table, row, "largest_message_bytes");
    curve.members_min = table.integer(row, table.column("members_min"));
    curve.members_max = table.integer(row, table.column("members_max"));
    curve.residual_percent = not_negative(table, row, "residual_percent");
    curve.p90_error_percent = not_negative(table, row, "p90_error_percent");
    curve.provenance = table.text(row, table.column("provenance"));
    curve.tables = table.text(row, table.column("tables"));
    curves_.push_back(std::move(curve));
  }
}

void NetworkCost::read_efficiency(const std::filesystem::path& path) {
  const CsvTable table = CsvTable::read(path);
  table.expect_columns({"medium", "collective", "message_bytes", "efficiency"});
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string interconnect = interconnect_at(table, row);
    const Collective collective = collective_at(table, row);
    const auto curve = std::find_if(curves_.begin(), curves_.end(), [&](const NetworkCurve& other) {
      return other.interconnect == interconnect && other.collective == collective;
    });
    if (curve == curves_.end())
      throw InputError(table.where(row, table.column("collective")),
                       fmt::format("{} on {} has no row in network_startup.csv",
                                   collective_name(collective), interconnect));
    const NetworkCurve::Point point{bytes_at(table, row, "message_bytes"),
                                    table.positive_number(row, table.column("efficiency"))};
    check_point(table, row, *curve, point);
    curve->points.push_back(point);
  }
}

void NetworkCost::check_complete(const std::filesystem::path& path) const {
  for (const NetworkCurve& curve : curves_)
    if (curve.points.empty())
      throw InputError({.file = path.string(), .source_line = ""},
                       fmt::format("no row for {} on {}", collective_name(curve.collective),
                                   curve.interconnect));
  for (const std::string& interconnect : interconnect_names())
    for (const CollectiveRow& row : collective_rows())
      if (row.always_needed && find(interconnect, row.collective) == nullptr)
        throw InputError(
            {.file = path.string(), .source_line = ""},
            fmt::format("no row for {} on {} or an interconnect near it", row.name, interconnect));
}

NetworkCost NetworkCost::load(const std::filesystem::path& calibration) {
  NetworkCost cost;
  cost.read_startup(calibration / "network_startup.csv");
  cost.read_efficiency(calibration / "network.csv");
  cost.index_curves();
  cost.check_complete(calibration / "network.csv");
  return cost;
}

NetworkCost::NetworkCost(std::vector<NetworkCurve> curves) : curves_(std::move(curves)) {
  index_curves();
}

void NetworkCost::index_curves() {
  found_.assign(interconnect_names().size() * collective_rows().size(), no_curve);
  std::size_t slot = 0;
  for (const std::string& interconnect : interconnect_names())
    for (const CollectiveRow& row : collective_rows())
      found_[slot++] = nearest_curve(interconnect, row.costs);
}

std::size_t NetworkCost::nearest_curve(const std::string& interconnect,
                                       Collective collective) const {
  const CollectiveRow& row = row_of(collective);
  std::vector<Collective> candidates = {collective};
  candidates.insert(candidates.end(), row.nearest.begin(), row.nearest.end());
  for (const std::string& near : nearest_interconnects(interconnect))
    for (const Collective candidate : candidates)
      for (std::size_t i = 0; i < curves_.size(); ++i)
        if (curves_[i].interconnect == near && curves_[i].collective == candidate)
          return i;
  return row.stand_in ? nearest_curve(interconnect, *row.stand_in) : no_curve;
}

const NetworkCurve* NetworkCost::find(const std::string& interconnect,
                                      Collective collective) const {
  const auto& names = interconnect_names();
  const auto name = std::find(names.begin(), names.end(), interconnect);
  INVARIANT(name != names.end(), "medium {}", interconnect);
  const std::size_t curve =
      found_[static_cast<std::size_t>(name - names.begin()) * collective_rows().size() +
             row_index(collective)];
  return curve == no_curve ? nullptr : &curves_[curve];
}

bool NetworkCost::measured(const std::string& interconnect, Collective collective) const {
  return std::any_of(curves_.begin(), curves_.end(), [&](const NetworkCurve& curve) {
    return curve.interconnect == interconnect && curve.collective == collective;
  });
}

const NetworkCurve& NetworkCost::curve(const std::string& interconnect,
                                       Collective collective) const {
  const NetworkCurve* found = find(interconnect, collective);
  INVARIANT(found != nullptr, "{} on {} has no costs", collective_name(collective), interconnect);
  return *found;
}

NetworkEfficiency NetworkCost::efficiency(const std::string& interconnect, Collective collective,
                                          const TierUse& use) const {
  const NetworkCurve& costs = curve(interconnect, collective);
  const bool own =
      costs.interconnect == interconnect && costs.collective == row_of(collective).costs;
  return {costs.share(use),
          !own || use.bytes < costs.smallest || use.bytes > costs.largest ||
              use.members < costs.members_min || use.members > costs.members_max,
          own ? nullptr : &costs, costs.bound_by_kernel(use)};
}

Seconds NetworkCost::startup(const std::string& interconnect, Collective collective,
                             std::int64_t peers) const {
  INVARIANT(peers >= 0, "peers {}", peers);
  if (peers == 0)
    return {};
  const NetworkCurve& costs = curve(interconnect, collective);
  return costs.base + costs.per_peer * static_cast<double>(peers);
}

double NetworkCost::error(const std::string& interconnect, Collective collective,
                          std::int64_t peers) const {
  return peers == 0 ? 0.0 : curve(interconnect, collective).p90_error_percent / 100.0;
}

} // namespace moesim
