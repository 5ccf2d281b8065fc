#include "sim/input/csv_table.hpp"

#include "sim/input/file_text.hpp"

#include <fmt/format.h>

#include <limits>
// The reader runs in the caller's thread; its default starts one per file.
#define CSV_IO_NO_THREAD
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored                                                                     \
    "-Wstringop-truncation" // in a copy of the file name that ends itself
#include <libfccp/csv.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace moesim {

namespace {

/// The value of a cell of at most 15 digits and nothing else, which a double holds exactly; nothing
/// for other cells. Most cells are such numbers, and this reads them several times faster.
std::optional<double> whole_number(std::string_view cell) {
  constexpr std::size_t digits_max = 15;
  if (cell.empty() || cell.size() > digits_max)
    return std::nullopt;
  std::int64_t value = 0;
  for (const char digit : cell) {
    if (digit < '0' || digit > '9')
      return std::nullopt;
    value = 10 * value + (digit - '0');
  }
  return static_cast<double>(value);
}

} // namespace

CsvTable CsvTable::read(const std::filesystem::path& path) {
  return parse(read_file(path), path.string());
}

CsvTable CsvTable::parse(const std::string& text, const std::string& name) {
  CsvTable table;
  table.name_ = name;
  table.texts_.reserve(text.size());
  io::LineReader reader(name, text.data(), text.data() + text.size());
  try {
    while (const char* line = reader.next_line())
      table.add_line(line, static_cast<int>(reader.get_file_line()));
  } catch (const io::error::base& error) {
    throw InputError({name}, fmt::format("not CSV: {}", error.what()));
  }
  if (table.columns_.empty())
    throw InputError({name}, "has no header row");
  table.ends_ = text.ends_with('\n');
  return table;
}

/// Reads a cell that begins with a quote. Returns the position behind its end.
std::size_t CsvTable::split_quoted(std::string_view line, int number, Cell& cell) {
  std::size_t at = static_cast<std::size_t>(cell.column);
  std::string text;
  for (;; ++at) {
    if (at >= line.size())
      throw InputError({name_, number, cell.column, std::string(line)}, "this quote does not end");
    if (line[at] == '"' && at + 1 < line.size() && line[at + 1] == '"')
      ++at;
    else if (line[at] == '"')
      break;
    text += line[at];
  }
  ++at;
  if (at < line.size() && line[at] != ',')
    throw InputError({name_, number, static_cast<int>(at) + 1, std::string(line)},
                     "expected a comma after the quoted cell");
  cell.begin = static_cast<std::uint32_t>(texts_.size());
  cell.size = static_cast<std::uint32_t>(text.size());
  texts_ += text;
  return at;
}

CsvTable::Row CsvTable::split(std::string_view line, int number) {
  Row row{static_cast<std::uint32_t>(cells_.size()), 0, static_cast<std::uint32_t>(texts_.size()),
          static_cast<std::uint32_t>(line.size()), number};
  texts_ += line;
  const auto* at = line.begin();
  while (true) {
    const auto offset = static_cast<std::uint32_t>(at - line.begin());
    Cell& cell = cells_.emplace_back(Cell{row.begin + offset, 0, static_cast<int>(offset) + 1});
    ++row.cell_count;
    if (at != line.end() && *at == '"') {
      at = line.begin() + split_quoted(line, number, cell);
    } else {
      const auto* end = std::find(at, line.end(), ',');
      cell.size = static_cast<std::uint32_t>(end - at);
      at = end;
    }
    if (at == line.end())
      return row;
    ++at; // the comma
  }
}

void CsvTable::add_header(const Row& row) {
  header_ = row;
  for (std::uint32_t cell = 0; cell < row.cell_count; ++cell) {
    const std::string column(view(cells_[row.first_cell + cell]));
    if (has_column(column))
      throw InputError(location(row, cells_[row.first_cell + cell].column),
                       fmt::format("the column \"{}\" appears twice", column));
    columns_.push_back(column);
  }
}

void CsvTable::add_line(std::string_view line, int number) {
  if (line.empty() || line.front() == '#')
    return;
  const Row row = split(line, number);
  if (columns_.empty()) {
    add_header(row);
    return;
  }
  if (row.cell_count != columns_.size())
    throw InputError(
        {name_, number, 1, std::string(line)},
        fmt::format("{} cells where the header has {} columns", row.cell_count, columns_.size()));
  rows_.push_back(row);
}

InputLocation CsvTable::location(const Row& row, int column) const {
  return {name_, row.line, column, texts_.substr(row.begin, row.size)};
}

bool CsvTable::has_column(const std::string& column) const {
  return std::find(columns_.begin(), columns_.end(), column) != columns_.end();
}

void CsvTable::expect_columns(const std::vector<std::string>& expected) const {
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (std::find(expected.begin(), expected.end(), columns_[i]) == expected.end())
      throw InputError(location(header_, cells_[header_.first_cell + i].column),
                       fmt::format("unknown column \"{}\"", columns_[i]),
                       suggest_name(columns_[i], expected));
  for (const std::string& name : expected)
    column(name);
}

void CsvTable::expect_complete() const {
  if (rows_.empty())
    throw InputError(location(header_, 1), "no row follows the header");
  if (!ends_)
    throw InputError(location(rows_.back(), static_cast<int>(rows_.back().size) + 1),
                     "the last line has no end", "the file may have been cut off");
}

std::size_t CsvTable::column(const std::string& name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  if (found == columns_.end())
    throw InputError(location(header_, 1), fmt::format("the column \"{}\" is missing", name),
                     suggest_name(name, columns_));
  return static_cast<std::size_t>(found - columns_.begin());
}

double CsvTable::number(std::size_t row, std::size_t column) const {
  const std::string_view cell = view(row, column);
  if (const auto whole = whole_number(cell))
    return *whole;
  double value = 0.0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc{} || end != cell.data() + cell.size() || !std::isfinite(value))
    throw InputError(where(row, column),
                     fmt::format("{}: \"{}\" is not a number", columns_[column], cell));
  return value;
}

double CsvTable::positive_number(std::size_t row, std::size_t column) const {
  const double value = number(row, column);
  if (value <= 0.0)
    throw InputError(where(row, column), fmt::format("{}: \"{}\" is not above zero",
                                                     columns_[column], text(row, column)));
  return value;
}

double CsvTable::not_negative_number(std::size_t row, std::size_t column) const {
  const double value = number(row, column);
  if (value < 0.0)
    throw InputError(where(row, column),
                     fmt::format("{}: {} is negative", columns_[column], text(row, column)));
  return value;
}

std::string CsvTable::choice(std::size_t row, std::size_t column,
                             const std::vector<std::string>& names) const {
  std::string cell = text(row, column);
  if (std::find(names.begin(), names.end(), cell) == names.end())
    throw InputError(where(row, column),
                     fmt::format("{}: \"{}\" is not known", columns_[column], cell),
                     suggest_name(cell, names));
  return cell;
}

std::int64_t CsvTable::integer(std::size_t row, std::size_t column) const {
  const std::string_view cell = view(row, column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc{} || end != cell.data() + cell.size())
    throw InputError(where(row, column),
                     fmt::format("{}: \"{}\" is not a whole number", columns_[column], cell));
  return value;
}

InputLocation CsvTable::where(std::size_t row, std::size_t column) const {
  return location(rows_[row], cells_[rows_[row].first_cell + column].column);
}

} // namespace moesim
