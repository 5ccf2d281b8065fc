#include "sim/cost/table_rows.hpp"

#include <algorithm>

namespace moesim {

std::optional<CsvTable> read_table(const std::filesystem::path& path,
                                   std::vector<std::string> columns,
                                   const std::vector<std::string>& optional) {
  if (!std::filesystem::exists(path))
    return std::nullopt;
  CsvTable table = CsvTable::read(path);
  for (const char* measuring : measuring_columns)
    if (table.has_column(measuring))
      columns.emplace_back(measuring);
  for (const std::string& column : optional)
    if (table.has_column(column))
      columns.push_back(column);
  table.expect_columns(columns);
  table.expect_complete();
  return table;
}

double seconds_at(const CsvTable& table, std::size_t row, std::size_t column) {
  constexpr double microsecond = 1e-6;
  return table.positive_number(row, column) * microsecond;
}

std::int64_t whole_at(const CsvTable& table, std::size_t row, std::size_t column) {
  return static_cast<std::int64_t>(table.positive_number(row, column));
}

bool holds(Precisions precisions, Precision precision) {
  return std::find(precisions.begin(), precisions.end(), precision) != precisions.end();
}

std::vector<Precision> served_by(Precision rows, Precisions precisions) {
  std::vector<Precision> served;
  for (const Precision precision : precisions)
    if (precision == rows || (is_quantised(precision) && is_quantised(rows)))
      served.push_back(precision);
  return served;
}

RowReader::RowReader(const CsvTable& table, const std::vector<std::string>& shape) : table_(table) {
  for (const std::string& name : shape)
    shape_columns_.push_back(table.column(name));
  seen_.reserve(table.rows());
}

TimeGrid::Shape RowReader::shape(std::size_t row, std::size_t variant) {
  Seen& seen = seen_.emplace_back(Seen{variant, row, {}});
  for (std::size_t i = 0; i < shape_columns_.size(); ++i)
    seen.shape[i] = table_.positive_number(row, shape_columns_[i]);
  return seen.shape;
}

void RowReader::expect_each_once() {
  const auto before = [](const Seen& a, const Seen& b) {
    if (a.variant != b.variant)
      return a.variant < b.variant;
    return a.shape != b.shape ? a.shape < b.shape : a.row < b.row;
  };
  if (!std::is_sorted(seen_.begin(), seen_.end(), before)) // most files are
    std::sort(seen_.begin(), seen_.end(), before);
  std::optional<std::size_t> again;
  for (std::size_t i = 1; i < seen_.size(); ++i)
    if (seen_[i].variant == seen_[i - 1].variant && seen_[i].shape == seen_[i - 1].shape)
      again = std::min(again.value_or(seen_[i].row), seen_[i].row);
  if (again)
    throw InputError(table_.where(*again, shape_columns_.front()), "this shape is given twice");
}

} // namespace moesim
