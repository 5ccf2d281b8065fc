#include "sim/cost/compute_devices.hpp"

#include "sim/cost/provenance.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <vector>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr const char* no_tables = "none";

/// Kinds with tables of their own, by name.
std::vector<std::string> measured_kinds(const fs::path& calibration) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(calibration))
    for (const char* table : {"gemm.csv", "grouped_gemm.csv", "attention.csv"})
      if (fs::exists(entry.path() / table)) {
        names.push_back(entry.path().filename().string());
        break;
      }
  std::sort(names.begin(), names.end());
  return names;
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The rows of `devices.csv`, by device.
class DeviceRows {
public:
  DeviceRows(const fs::path& calibration, std::vector<std::string> measured)
      : calibration_(calibration), measured_(std::move(measured)),
        table_(CsvTable::read(calibration / "devices.csv")) {
    table_.expect_columns(
        {"device", "tables", "tables_bf16_tflops", "tables_fp8_tflops", "provenance", "source"});
  }

  std::map<std::string, DeviceTables> read() const {
    std::map<std::string, DeviceTables> devices;
    for (std::size_t row = 0; row < table_.rows(); ++row) {
      const std::size_t column = table_.column("device");
      const std::string& device = table_.text(row, column);
      check_provenance(table_, row);
      if (!devices.emplace(device, tables(row)).second)
        throw InputError(table_.where(row, column),
                         fmt::format("device: \"{}\" is given twice", device));
    }
    return devices;
  }

private:
  DeviceTables tables(std::size_t row) const {
    const std::size_t column = table_.column("tables");
    const std::string& name = table_.text(row, column);
    const std::size_t bf16 = table_.column("tables_bf16_tflops");
    const std::size_t fp8 = table_.column("tables_fp8_tflops");
    if (name == no_tables) {
      for (const std::size_t peak : {bf16, fp8})
        if (!table_.text(row, peak).empty())
          throw InputError(table_.where(row, peak),
                           fmt::format("{}: there are no tables", table_.columns()[peak]));
      return {};
    }
    if (!holds(measured_, name)) {
      std::vector<std::string> known = measured_;
      known.emplace_back(no_tables);
      throw InputError(table_.where(row, column),
                       fmt::format("tables: \"{}\" is not one of {}", name, fmt::join(known, ", ")),
                       suggest_name(name, known));
    }
    return {calibration_ / name, DeviceTables::Peaks{tflops(table_.positive_number(row, bf16)),
                                                     tflops(table_.positive_number(row, fp8))}};
  }

  fs::path calibration_;
  std::vector<std::string> measured_;
  CsvTable table_;
};

} // namespace

DeviceTables find_device_tables(const fs::path& calibration, const std::string& kind) {
  std::vector<std::string> known = measured_kinds(calibration);
  std::map<std::string, DeviceTables> rows;
  if (fs::exists(calibration / "devices.csv"))
    rows = DeviceRows(calibration, known).read();
  if (holds(known, kind))
    return {calibration / kind, std::nullopt};
  if (const auto row = rows.find(kind); row != rows.end())
    return row->second;
  for (const auto& [device, tables] : rows)
    known.push_back(device);
  throw InputError({.file = (calibration / "devices.csv").string(), .source_line = ""},
                   fmt::format("gpu.kind: \"{}\" is not one of {}", kind, fmt::join(known, ", ")),
                   suggest_name(kind, known));
}

} // namespace moesim
