#include "sim/cost/sustained_throughput.hpp"

#include "sim/cost/provenance.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <set>

namespace moesim {

Uncertain sustained_throughput(const std::filesystem::path& calibration, const std::string& kind,
                               const Uncertain& otherwise) {
  const std::filesystem::path file = calibration / "sustained_throughput.csv";
  if (!std::filesystem::exists(file))
    return otherwise;
  const CsvTable table = CsvTable::read(file);
  table.expect_columns({"device", "ratio", "error_percent", "provenance", "source"});
  Uncertain found = otherwise;
  std::set<std::string> kinds;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::size_t column = table.column("device");
    const std::string& device = table.text(row, column);
    if (!kinds.insert(device).second)
      throw InputError(table.where(row, column),
                       fmt::format("device: \"{}\" is given twice", device));
    check_provenance(table, row);
    const std::size_t ratio_column = table.column("ratio");
    const Uncertain read{table.positive_number(row, ratio_column),
                         table.positive_number(row, table.column("error_percent")) / 100.0};
    if (read.value > 1.0)
      throw InputError(table.where(row, ratio_column), "ratio: long runs are never faster",
                       "1 at most");
    if (device == kind)
      found = read;
  }
  return found;
}

} // namespace moesim
