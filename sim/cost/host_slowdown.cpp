#include "sim/cost/host_slowdown.hpp"

#include "sim/cost/provenance.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <map>
#include <vector>

namespace moesim {

namespace {

constexpr const char* usual_host = "xeon";

} // namespace

Uncertain host_slowdown(const std::filesystem::path& calibration, const std::string& host) {
  std::map<std::string, Uncertain> ratios{{usual_host, {1.0, 0.0}}};
  const std::filesystem::path file = calibration / "hosts.csv";
  if (std::filesystem::exists(file)) {
    const CsvTable table = CsvTable::read(file);
    table.expect_columns({"host", "time_ratio", "error_percent", "provenance", "source"});
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const std::size_t column = table.column("host");
      check_provenance(table, row);
      const Uncertain ratio{table.positive_number(row, table.column("time_ratio")),
                            table.positive_number(row, table.column("error_percent")) / 100.0};
      if (!ratios.emplace(table.text(row, column), ratio).second)
        throw InputError(table.where(row, column),
                         fmt::format("host: \"{}\" is given twice", table.text(row, column)));
    }
  }
  if (const auto found = ratios.find(host); found != ratios.end())
    return found->second;
  std::vector<std::string> known;
  for (const auto& [name, unused] : ratios)
    known.push_back(name);
  throw InputError({.file = file.string(), .source_line = ""},
                   fmt::format("host: \"{}\" is not one of {}", host, fmt::join(known, ", ")),
                   suggest_name(host, known));
}

} // namespace moesim
