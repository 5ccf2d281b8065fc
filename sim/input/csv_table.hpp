#pragma once

#include "sim/base/input_error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// A CSV file with a header row, its cells with their positions. Lines that start with `#` are
/// comments; fields may be quoted with `"`, a quote inside is doubled. Duplicate columns, a row
/// with the wrong number of cells and an unterminated quote are errors.
class CsvTable {
public:
  /// Throws InputError if the file cannot be read or is malformed.
  static CsvTable read(const std::filesystem::path& path);
  /// The same from text; `name` stands for the file in messages.
  static CsvTable parse(const std::string& text, const std::string& name);

  std::size_t rows() const { return cells_.size(); }
  const std::vector<std::string>& columns() const { return columns_; }
  bool has_column(const std::string& column) const;

  /// Throws InputError, with the nearest known name, unless the columns are exactly `expected` in
  /// any order.
  void expect_columns(const std::vector<std::string>& expected) const;
  /// Throws InputError if there is no row, or if the last line has no end: a copy was cut off.
  void expect_complete() const;
  /// The position of a column by name; throws InputError if it is missing.
  std::size_t column(const std::string& name) const;

  const std::string& text(std::size_t row, std::size_t column) const;
  /// A finite number; throws InputError at the cell for anything else, an empty cell included.
  double number(std::size_t row, std::size_t column) const;
  /// A finite number greater than zero; throws InputError at the cell for anything else.
  double positive_number(std::size_t row, std::size_t column) const;
  /// A finite number, zero or greater; throws InputError at the cell for anything else.
  double not_negative_number(std::size_t row, std::size_t column) const;
  std::int64_t integer(std::size_t row, std::size_t column) const;

  InputLocation where(std::size_t row, std::size_t column) const;

private:
  struct Cell {
    std::string text;
    int column = 1;
  };
  struct Row {
    std::vector<Cell> cells;
    int line = 1;
    std::string source;
  };
  Row split(const std::string& line, int number) const;
  void add_line(const std::string& line, int number);

  std::string name_;
  Row header_;
  std::vector<std::string> columns_;
  std::vector<Row> cells_;
  bool ends_ = false; ///< the text ends with a line's end
};

} // namespace moesim
