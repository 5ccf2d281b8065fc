#include "sim/cost/network_cost.hpp"

#include "sim/base/check.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace moesim {

namespace {

const std::vector<std::string> tier_names = {"scale_up", "scale_out"};
const std::vector<std::string> collective_names = {"all_to_all", "all_gather", "reduce_scatter",
                                                   "all_reduce", "point_to_point"};

std::size_t index(Tier tier) {
  return static_cast<std::size_t>(tier);
}
std::size_t index(Collective collective) {
  switch (collective) {
  case Collective::all_to_all:
  case Collective::dispatch:
  case Collective::combine:
    return 0;
  case Collective::all_gather:
    return 1;
  case Collective::reduce_scatter:
    return 2;
  case Collective::all_reduce:
  case Collective::all_reduce_tree:
  case Collective::all_reduce_in_switch:
    return 3;
  case Collective::point_to_point:
    break;
  }
  return 4;
}

std::size_t name_at(const CsvTable& table, std::size_t row, const std::string& column,
                    const std::vector<std::string>& names) {
  const std::size_t place = table.column(column);
  const std::string& text = table.text(row, place);
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end())
    throw InputError(table.where(row, place), fmt::format("{}: \"{}\" is not known", column, text),
                     suggest_name(text, names));
  return static_cast<std::size_t>(found - names.begin());
}

double not_negative(const CsvTable& table, std::size_t row, const std::string& column) {
  const std::size_t place = table.column(column);
  const double value = table.number(row, place);
  if (value < 0.0)
    throw InputError(table.where(row, place),
                     fmt::format("{}: {} is negative", column, table.text(row, place)));
  return value;
}

} // namespace

void NetworkCost::read_efficiency(const std::filesystem::path& path) {
  const CsvTable table = CsvTable::read(path);
  table.expect_columns(
      {"tier", "collective", "message_bytes", "efficiency", "provenance", "tables"});
  const std::size_t message = table.column("message_bytes");
  const std::size_t efficiency = table.column("efficiency");
  for (std::size_t row = 0; row < table.rows(); ++row) {
    Curve& curve = curves_[name_at(table, row, "tier", tier_names)]
                          [name_at(table, row, "collective", collective_names)];
    const double size = std::log2(table.positive_number(row, message));
    const double share = table.positive_number(row, efficiency);
    if (share > 1.0)
      throw InputError(table.where(row, efficiency),
                       fmt::format("efficiency: {} is more than 1", table.text(row, efficiency)));
    if (!curve.empty() && size <= curve.back().first)
      throw InputError(table.where(row, message), "message_bytes: sizes must rise");
    if (!curve.empty() && share < curve.back().second)
      throw InputError(table.where(row, efficiency),
                       "efficiency: must not fall with the message size");
    curve.emplace_back(size, share);
  }
  for (std::size_t tier = 0; tier < tiers; ++tier)
    for (std::size_t collective = 0; collective < collectives; ++collective)
      if (curves_[tier][collective].empty())
        throw InputError(
            {.file = path.string(), .source_line = ""},
            fmt::format("no row for {} on {}", collective_names[collective], tier_names[tier]));
}

void NetworkCost::read_startup(const std::filesystem::path& path) {
  const CsvTable table = CsvTable::read(path);
  table.expect_columns({"collective", "base_us", "per_inside_peer_us", "scale_out_us",
                        "per_outside_peer_us", "provenance"});
  std::array<bool, collectives> known{};
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::size_t collective = name_at(table, row, "collective", collective_names);
    if (known[collective])
      throw InputError(
          table.where(row, table.column("collective")),
          fmt::format("collective: \"{}\" is given twice", collective_names[collective]));
    known[collective] = true;
    startup_[collective] = {microseconds(not_negative(table, row, "base_us")),
                            microseconds(not_negative(table, row, "per_inside_peer_us")),
                            microseconds(not_negative(table, row, "scale_out_us")),
                            microseconds(not_negative(table, row, "per_outside_peer_us"))};
  }
  for (std::size_t collective = 0; collective < collectives; ++collective)
    if (!known[collective])
      throw InputError({.file = path.string(), .source_line = ""},
                       fmt::format("no row for {}", collective_names[collective]));
}

NetworkCost NetworkCost::load(const std::filesystem::path& calibration) {
  NetworkCost cost;
  cost.read_efficiency(calibration / "network.csv");
  cost.read_startup(calibration / "network_startup.csv");
  return cost;
}

double NetworkCost::efficiency(Tier tier, Collective collective, Bytes message) const {
  INVARIANT(message.value >= 0, "message {}", message.value);
  const Curve& curve = curves_[index(tier)][index(collective)];
  const double size = std::log2(static_cast<double>(std::max<std::int64_t>(1, message.value)));
  const auto upper =
      std::upper_bound(curve.begin(), curve.end(), size,
                       [](double value, const auto& at) { return value < at.first; });
  if (upper == curve.begin())
    return curve.front().second;
  if (upper == curve.end())
    return curve.back().second;
  const auto lower = std::prev(upper);
  const double weight = (size - lower->first) / (upper->first - lower->first);
  return lower->second + weight * (upper->second - lower->second);
}

Seconds NetworkCost::startup(Collective collective, std::int64_t inside_peers,
                             std::int64_t outside_peers) const {
  INVARIANT(inside_peers >= 0 && outside_peers >= 0, "peers {} {}", inside_peers, outside_peers);
  if (inside_peers + outside_peers == 0)
    return {};
  const Startup& start = startup_[index(collective)];
  Seconds time = start.base + start.inside_peer * static_cast<double>(inside_peers);
  if (outside_peers > 0)
    time += start.scale_out + start.outside_peer * static_cast<double>(outside_peers);
  return time;
}

} // namespace moesim
