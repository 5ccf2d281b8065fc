#include "sim/cost/ratio_table.hpp"

#include "sim/cost/provenance.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

namespace moesim {

std::map<std::string, RatioRow> read_ratios(const std::filesystem::path& file,
                                            const std::string& name, const std::string& ratio,
                                            std::map<std::string, RatioRow> known) {
  if (!std::filesystem::exists(file))
    return known;
  const CsvTable table = CsvTable::read(file);
  table.expect_columns({name, ratio, "error_percent", "provenance", "source"});
  for (std::size_t row = 0; row < table.rows(); ++row) {
    check_provenance(table, row);
    const std::size_t column = table.column(ratio);
    const Uncertain read{table.positive_number(row, column),
                         table.positive_number(row, table.column("error_percent")) / 100.0};
    const std::string& key = table.text(row, table.column(name));
    if (!known.try_emplace(key, RatioRow{read, table.where(row, column)}).second)
      throw InputError(table.where(row, table.column(name)),
                       fmt::format("{}: \"{}\" is given twice", name, key));
  }
  return known;
}

} // namespace moesim
