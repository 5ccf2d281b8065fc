#include "sim/cost/compute_errors.hpp"

#include "sim/input/csv_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace moesim {

namespace {

constexpr const char* head =
    "# How far the tables of kernel times are off where they were not measured. Written by moesim\n"
    "# calibrate; what the cases mean: sim/cost/compute_errors.hpp.\n"
    "device,table,precision,case,rows,median_percent,p90_percent\n";

template <typename Enumeration, std::size_t n>
Enumeration choice(const CsvTable& table, std::size_t row, std::size_t column,
                   const std::array<Named<Enumeration>, n>& names) {
  const std::string& text = table.text(row, column);
  if (const auto found = value_named(names, text))
    return *found;
  throw InputError(table.where(row, column),
                   fmt::format("\"{}\" is not one of {}", text, fmt::join(names_of(names), ", ")),
                   suggest_name(text, names_of(names)));
}

} // namespace

ComputeErrors ComputeErrors::read(const std::filesystem::path& path) {
  ComputeErrors errors;
  errors.name_ = path.string();
  if (!std::filesystem::exists(path))
    return errors;
  const CsvTable table = CsvTable::read(path);
  table.expect_columns(
      {"device", "table", "precision", "case", "rows", "median_percent", "p90_percent"});
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision precision =
        choice(table, row, table.column("precision"), tabled_precision_names);
    const ErrorCase error_case = choice(table, row, table.column("case"), error_case_names);
    const double percent = table.number(row, table.column("p90_percent"));
    if (percent < 0.0)
      throw InputError(table.where(row, table.column("p90_percent")), "an error is not negative");
    errors.p90_[{table.text(row, table.column("device")), table.text(row, table.column("table")),
                 precision, error_case}] = percent / 100.0;
  }
  return errors;
}

double ComputeErrors::p90(const std::string& device, const std::string& table, Precision precision,
                          ErrorCase error_case) const {
  const auto found = p90_.find({device, table, precision, error_case});
  if (found == p90_.end())
    throw InputError({.file = name_, .source_line = ""},
                     fmt::format("the error of {} {} of {}, {}, is not known", table,
                                 name_of(precision_names, precision), device,
                                 name_of(error_case_names, error_case)),
                     "moesim calibrate CALIBRATION/*/*.csv --out CALIBRATION measures it");
  return found->second;
}

std::string compute_errors_csv(const std::vector<TableError>& errors) {
  std::string text = head;
  for (const TableError& error : errors)
    text += fmt::format("{},{},{},{},{},{:.2f},{:.2f}\n", error.device, error.table,
                        name_of(precision_names, error.precision),
                        name_of(error_case_names, error.error_case), error.rows,
                        error.median_percent, error.p90_percent);
  return text;
}

} // namespace moesim
