#include "sim/calibrate/measurement.hpp"

#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <cmath>

namespace moesim {

namespace {

/// One row of a table, read cell by cell.
class Row {
public:
  Row(const CsvTable& table, std::size_t row) : table_(table), row_(row) {}

  std::string text(const std::string& column) const {
    return table_.text(row_, table_.column(column));
  }
  double positive(const std::string& column) const {
    return table_.positive_number(row_, table_.column(column));
  }
  std::int64_t count(const std::string& column) const {
    const std::int64_t value = table_.integer(row_, table_.column(column));
    if (value < 1)
      refuse(column, "must be 1 or more");
    return value;
  }
  std::string choice(const std::string& column, const std::vector<std::string>& known) const {
    return table_.choice(row_, table_.column(column), known);
  }
  [[noreturn]] void refuse(const std::string& column, const std::string& message) const {
    throw InputError(table_.where(row_, table_.column(column)),
                     fmt::format("{}: {}", column, message));
  }

private:
  const CsvTable& table_;
  std::size_t row_;
};

TierBytes read_bytes(const Row& row, const Measurement& measured) {
  if (row_of(measured.collective).has_size) {
    for (const std::string column : {"scale_up_bytes", "network_bytes"})
      if (!row.text(column).empty())
        row.refuse(column, "follows from size_bytes; leave it empty");
    return collective_bytes(measured.collective, measured.size, measured.group);
  }
  TierBytes bytes{row.positive("scale_up_bytes"), 0.0};
  if (measured.group.domains > 1)
    bytes.scale_out = row.positive("network_bytes");
  return bytes;
}

Measurement read_row(const Row& row) {
  Measurement measured;
  measured.table = row.text("table");
  if (measured.table.empty() || measured.table.find(' ') != std::string::npos)
    row.refuse("table", "must be a name without spaces");
  measured.gpu = row.text("gpu");
  measured.group = {row.count("ranks"), row.count("domains")};
  if (measured.group.ranks < 2)
    row.refuse("ranks", "must be 2 or more");
  if (measured.group.ranks % measured.group.domains != 0)
    row.refuse("domains", fmt::format("{} do not divide {} ranks", measured.group.domains,
                                      measured.group.ranks));
  measured.links.scale_up = row.choice("scale_up", interconnect_names());
  measured.links.scale_up_capacity = gbyte_per_s(row.positive("scale_up_gbyte_per_s"));
  measured.tier = row.choice("tier", {"scale_up", "scale_out"}) == "scale_up" ? Tier::scale_up
                                                                              : Tier::scale_out;
  if (measured.group.domains > 1) {
    measured.links.scale_out = row.choice("network", interconnect_names());
    measured.links.scale_out_capacity = gbyte_per_s(row.positive("network_gbyte_per_s"));
  } else if (measured.tier == Tier::scale_out) {
    row.refuse("tier", "one domain has no network");
  }
  const std::vector<std::string>& collectives = measured_collective_names();
  measured.collective = collective_named(row.choice("collective", collectives));
  measured.size = row.positive("size_bytes");
  measured.bytes = read_bytes(row, measured);
  measured.time = microseconds(row.positive("time_us"));
  measured.fit = row.choice("fit", {"no", "yes"}) == "yes";
  measured.source = row.text("source");
  if (measured.source.empty())
    row.refuse("source", "a measurement needs its source");
  return measured;
}

} // namespace

const std::string& Measurement::interconnect() const {
  return tier == Tier::scale_up ? links.scale_up : links.scale_out;
}

Collective Measurement::curve_collective() const {
  return tier == Tier::scale_up ? inside_part(collective, group) : collective;
}

TierUse Measurement::use() const {
  if (tier == Tier::scale_up)
    return {Bytes{std::llround(bytes.scale_up)}, group.domain_ranks(), links.scale_up_capacity};
  return {Bytes{std::llround(bytes.scale_out)}, group.domains, links.scale_out_capacity};
}

std::int64_t Measurement::peers() const {
  return tier == Tier::scale_up ? group.domain_ranks() - 1 : outside_peers(collective, group);
}

void append(std::vector<Measurement>& to, const std::vector<Measurement>& rows) {
  to.insert(to.end(), rows.begin(), rows.end());
}

CurveName curve_name(const Measurement& measurement) {
  return {measurement.interconnect(), measurement.curve_collective()};
}

std::vector<Measurement> read_measurements(const std::filesystem::path& path) {
  const CsvTable table = CsvTable::read(path);
  table.expect_columns({"table", "gpu", "scale_up", "scale_up_gbyte_per_s", "network",
                        "network_gbyte_per_s", "domains", "ranks", "tier", "collective",
                        "size_bytes", "scale_up_bytes", "network_bytes", "time_us", "fit",
                        "source"});
  std::vector<Measurement> measurements;
  measurements.reserve(table.rows());
  for (std::size_t row = 0; row < table.rows(); ++row)
    measurements.push_back(read_row(Row(table, row)));
  return measurements;
}

} // namespace moesim
