#pragma once

#include "sim/base/input_error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace moesim {

/// A CSV file with a header row. Each cell keeps its position. Lines that start with `#` are
/// comments; fields may be quoted with `"`, a quote inside is doubled. Duplicate columns, a row
/// with the wrong number of cells and an unterminated quote are errors.
///
/// More than 15 methods: a reader for each type of cell, and the steps of parsing, which share the
/// text that cells point into.
class CsvTable {
public:
  /// Throws InputError if the file cannot be read or is malformed.
  static CsvTable read(const std::filesystem::path& path);
  /// The same from text; messages give `name` as the file.
  static CsvTable parse(const std::string& text, const std::string& name);

  std::size_t rows() const { return rows_.size(); }
  const std::vector<std::string>& columns() const { return columns_; }
  bool has_column(const std::string& column) const;

  /// Throws InputError, with the nearest known name, unless the columns are exactly `expected` in
  /// any order.
  void expect_columns(const std::vector<std::string>& expected) const;
  /// Throws InputError if there is no row, or if the last line has no line end: the file was cut
  /// off.
  void expect_complete() const;
  /// The position of a column by name; throws InputError if it is missing.
  std::size_t column(const std::string& name) const;

  std::string text(std::size_t row, std::size_t column) const {
    return std::string(view(row, column));
  }
  /// The same text; valid as long as the table.
  std::string_view view(std::size_t row, std::size_t column) const {
    return view(cells_[rows_[row].first_cell + column]);
  }
  /// A finite number; throws InputError at the cell for anything else, an empty cell included.
  double number(std::size_t row, std::size_t column) const;
  /// A finite number greater than zero; throws InputError at the cell for anything else.
  double positive_number(std::size_t row, std::size_t column) const;
  /// A finite number, zero or greater; throws InputError at the cell for anything else.
  double not_negative_number(std::size_t row, std::size_t column) const;
  /// A cell's text, one of `names`; throws InputError at the cell for any other, and suggests the
  /// nearest name.
  std::string choice(std::size_t row, std::size_t column,
                     const std::vector<std::string>& names) const;
  std::int64_t integer(std::size_t row, std::size_t column) const;

  InputLocation where(std::size_t row, std::size_t column) const;

private:
  /// A cell's text as a range of `texts_`, and its position in its line.
  struct Cell {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
    int column = 1;
  };
  /// A line and its cells in `cells_`, which holds the cells of all rows, row by row.
  struct Row {
    std::uint32_t first_cell = 0;
    std::uint32_t cell_count = 0;
    std::uint32_t begin = 0; ///< of the source line, in `texts_`
    std::uint32_t size = 0;
    int line = 1;
  };
  Row split(std::string_view line, int number);
  std::size_t split_quoted(std::string_view line, int number, Cell& cell);
  void add_line(std::string_view line, int number);
  void add_header(const Row& row);
  InputLocation location(const Row& row, int column) const;
  std::string_view view(const Cell& cell) const { return {texts_.data() + cell.begin, cell.size}; }

  std::string name_;
  std::string texts_; ///< of all lines, and of quoted cells without their quotes
  std::vector<Cell> cells_;
  Row header_;
  std::vector<std::string> columns_;
  std::vector<Row> rows_;
  bool ends_ = false; ///< the text ends with a line's end
};

} // namespace moesim
