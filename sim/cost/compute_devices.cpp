#include "sim/cost/compute_devices.hpp"

#include "sim/cost/network_curve.hpp"
#include "sim/cost/provenance.hpp"
#include "sim/cost/table_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

namespace moesim {

namespace {

namespace fs = std::filesystem;

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The kinds whose tables a row borrows: names with spaces between, or "none".
std::vector<std::string> read_borrows(const CsvTable& table, std::size_t row,
                                      const std::vector<std::string>& measured) {
  const std::size_t column = table.column("borrows");
  std::istringstream words(table.text(row, column));
  std::vector<std::string> borrows;
  for (std::string name; words >> name;) {
    if (name == "none" && borrows.empty() && words.eof())
      return {};
    if (!holds(measured, name))
      throw InputError(
          table.where(row, column),
          fmt::format("borrows: \"{}\" is not one of {}, none", name, fmt::join(measured, ", ")),
          suggest_name(name, measured));
    borrows.push_back(name);
  }
  if (borrows.empty())
    throw InputError(table.where(row, column), "borrows: empty", "none, if it borrows no tables");
  return borrows;
}

constexpr const char* scale_up_columns[] = {"sms", "scale_up", "scale_up_gbyte_per_s"};

/// Reads the SMs and the scale-up interconnect, which a table or a row may leave out.
void read_scale_up(const CsvTable& table, std::size_t row, DeviceRow& device) {
  const auto given = [&](const char* column) {
    return table.has_column(column) && !table.view(row, table.column(column)).empty();
  };
  const auto& [sms, scale_up, capacity] = scale_up_columns;
  if (given(sms))
    device.sms = table.integer(row, table.column(sms));
  if (!given(scale_up))
    return;
  device.scale_up = table.choice(row, table.column(scale_up), interconnect_names());
  device.scale_up_capacity = gbyte_per_s(table.positive_number(row, table.column(capacity)));
}

} // namespace

bool same_rates(const PeakRates& a, const PeakRates& b) {
  const auto same = [](double one, double other) { return std::abs(one / other - 1.0) < 0.01; };
  return same(a.bf16.value, b.bf16.value) && same(a.fp8.value, b.fp8.value) &&
         same(a.memory.value, b.memory.value);
}

double rate_ratio(const Kernel& kernel, const PeakRates& there, const PeakRates& here) {
  const auto time = [&kernel](const PeakRates& rates) {
    const FlopsPerSecond peak = is_quantised(kernel.precision) ? rates.fp8 : rates.bf16;
    return std::max(kernel.flops / peak, kernel.bytes / rates.memory);
  };
  return time(here) / time(there);
}

std::vector<std::string> measured_kinds(const fs::path& calibration) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(calibration))
    for (const char* table : {"gemm.csv", "grouped_gemm.csv", "attention.csv", "measured"})
      if (fs::exists(entry.path() / table)) {
        names.push_back(entry.path().filename().string());
        break;
      }
  std::sort(names.begin(), names.end());
  return names;
}

std::map<std::string, DeviceRow> read_devices(const fs::path& calibration) {
  return GpuKinds::read(calibration).rows;
}

GpuKinds GpuKinds::read(const fs::path& calibration) {
  GpuKinds kinds{calibration, {}, measured_kinds(calibration)};
  if (!fs::exists(calibration / "gpus.csv"))
    return kinds;
  const auto found =
      read_table(calibration / "gpus.csv",
                 {"device", "borrows", "bf16_tflops", "fp8_tflops", "memory_gbyte_per_s",
                  "board_power_w", "driver_names", "provenance", "source"},
                 {scale_up_columns[0], scale_up_columns[1], scale_up_columns[2], "memory_gib",
                  "compute_capability"}); // both for imports alone
  const CsvTable& table = *found;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::size_t column = table.column("device");
    const std::string& device = table.text(row, column);
    check_provenance(table, row);
    const auto number = [&](const char* name) {
      return table.positive_number(row, table.column(name));
    };
    DeviceRow read{read_borrows(table, row, kinds.measured),
                   {tflops(number("bf16_tflops")), tflops(number("fp8_tflops")),
                    gbyte_per_s(number("memory_gbyte_per_s"))},
                   number("board_power_w"),
                   0,
                   "",
                   {}};
    read_scale_up(table, row, read);
    if (!kinds.rows.emplace(device, read).second)
      throw InputError(table.where(row, column),
                       fmt::format("device: \"{}\" is given twice", device));
  }
  return kinds;
}

bool GpuKinds::know(const std::string& kind) const {
  return rows.contains(kind) || holds(measured, kind);
}

void GpuKinds::check_spelling(const NamedRow& kind, const PeakRates& rates) const {
  std::vector<std::string> known;
  bool misspelt = false;
  for (const auto& [name, row] : rows) {
    known.push_back(name);
    misspelt |= kind.name != name && bare_name(kind.name) == bare_name(name);
    const std::size_t longer = std::max(kind.name.size(), name.size());
    misspelt |= same_rates(row.peaks, rates) &&
                longer - std::min(kind.name.size(), name.size()) <= 2 && // not a name made of it
                !suggest_name(kind.name, {name}).empty();
  }
  if (misspelt)
    fail_unknown("gpu.kind", kind, known, calibration / "gpus.csv");
}

std::string GpuKinds::nearest(const PeakRates& rates) const {
  const auto has_fp8 = [](const PeakRates& peaks) { return peaks.fp8 > peaks.bf16; };
  std::string nearest;
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [kind, row] : rows) {
    if (!holds(measured, kind) || has_fp8(row.peaks) != has_fp8(rates))
      continue;
    const double distance = std::hypot(std::log(row.peaks.bf16 / rates.bf16),
                                       std::log(row.peaks.memory / rates.memory));
    if (distance < least) {
      least = distance;
      nearest = kind;
    }
  }
  return nearest;
}

std::vector<TableFolder> GpuKinds::folders_of(const std::string& kind,
                                              const PeakRates& rates) const {
  const auto peaks = [&](const std::string& name) -> std::optional<PeakRates> {
    const auto row = rows.find(name);
    return row == rows.end() ? std::nullopt : std::optional(row->second.peaks);
  };
  std::vector<TableFolder> folders;
  if (holds(measured, kind))
    folders.push_back({calibration / kind, peaks(kind), false});
  std::vector<std::string> lenders;
  if (const auto row = rows.find(kind); row != rows.end()) {
    lenders = row->second.borrows;
  } else if (folders.empty()) {
    if (const std::string near = nearest(rates); !near.empty()) {
      lenders = rows.at(near).borrows;
      lenders.insert(lenders.begin(), near);
    }
  }
  for (const std::string& name : lenders)
    folders.push_back({calibration / name, peaks(name), true});
  return folders;
}

} // namespace moesim
