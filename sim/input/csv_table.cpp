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

namespace moesim {

CsvTable CsvTable::read(const std::filesystem::path& path) {
  return parse(read_file(path), path.string());
}

CsvTable CsvTable::parse(const std::string& text, const std::string& name) {
  CsvTable table;
  table.name_ = name;
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

CsvTable::Row CsvTable::split(const std::string& line, int number) const {
  Row row;
  row.line = number;
  row.source = line;
  std::size_t at = 0;
  while (true) {
    Cell cell;
    cell.column = static_cast<int>(at) + 1;
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        if (at >= line.size())
          throw InputError({name_, number, cell.column, line}, "this quote does not end");
        if (line[at] == '"' && at + 1 < line.size() && line[at + 1] == '"')
          ++at;
        else if (line[at] == '"')
          break;
        cell.text += line[at];
      }
      ++at;
      if (at < line.size() && line[at] != ',')
        throw InputError({name_, number, static_cast<int>(at) + 1, line},
                         "expected a comma after the quoted cell");
    } else {
      const std::size_t end = std::min(line.find(',', at), line.size());
      cell.text = line.substr(at, end - at);
      at = end;
    }
    row.cells.push_back(std::move(cell));
    if (at >= line.size())
      return row;
    ++at; // the comma
  }
}

void CsvTable::add_line(const std::string& line, int number) {
  if (line.empty() || line.front() == '#')
    return;
  Row row = split(line, number);
  if (columns_.empty()) {
    header_ = row;
    for (const Cell& cell : row.cells) {
      if (has_column(cell.text))
        throw InputError({name_, number, cell.column, line},
                         fmt::format("the column \"{}\" appears twice", cell.text));
      columns_.push_back(cell.text);
    }
    return;
  }
  if (row.cells.size() != columns_.size())
    throw InputError(
        {name_, number, 1, line},
        fmt::format("{} cells where the header has {} columns", row.cells.size(), columns_.size()));
  cells_.push_back(std::move(row));
}

bool CsvTable::has_column(const std::string& column) const {
  return std::find(columns_.begin(), columns_.end(), column) != columns_.end();
}

void CsvTable::expect_columns(const std::vector<std::string>& expected) const {
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (std::find(expected.begin(), expected.end(), columns_[i]) == expected.end())
      throw InputError({name_, header_.line, header_.cells[i].column, header_.source},
                       fmt::format("unknown column \"{}\"", columns_[i]),
                       suggest_name(columns_[i], expected));
  for (const std::string& name : expected)
    column(name);
}

void CsvTable::expect_complete() const {
  if (cells_.empty())
    throw InputError({name_, header_.line, 1, header_.source}, "no row follows the header");
  if (!ends_)
    throw InputError({name_, cells_.back().line, static_cast<int>(cells_.back().source.size()) + 1,
                      cells_.back().source},
                     "the last line has no end", "the file may have been cut off");
}

std::size_t CsvTable::column(const std::string& name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  if (found == columns_.end())
    throw InputError({name_, header_.line, 1, header_.source},
                     fmt::format("the column \"{}\" is missing", name),
                     suggest_name(name, columns_));
  return static_cast<std::size_t>(found - columns_.begin());
}

const std::string& CsvTable::text(std::size_t row, std::size_t column) const {
  return cells_[row].cells[column].text;
}

double CsvTable::number(std::size_t row, std::size_t column) const {
  const std::string& cell = text(row, column);
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

std::int64_t CsvTable::integer(std::size_t row, std::size_t column) const {
  const std::string& cell = text(row, column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc{} || end != cell.data() + cell.size())
    throw InputError(where(row, column),
                     fmt::format("{}: \"{}\" is not a whole number", columns_[column], cell));
  return value;
}

InputLocation CsvTable::where(std::size_t row, std::size_t column) const {
  const Row& found = cells_[row];
  return {name_, found.line, found.cells[column].column, found.source};
}

} // namespace moesim
