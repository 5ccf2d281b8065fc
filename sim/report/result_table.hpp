#pragma once

#include <string>
#include <utility>
#include <vector>

namespace moesim {

enum class TableFormat { table, csv, json };

/// A result to print: rows of text cells below named columns.
struct ResultTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// The table in one of the formats: aligned text for people, CSV, or a JSON list with one object a
/// row, cells that are numbers as numbers, empty cells as null.
std::string render(const ResultTable& table, TableFormat format);

/// Several tables as one JSON object: a list, as of `render`, under the name of each.
std::string render_tables(const std::vector<std::pair<std::string, ResultTable>>& tables);

/// One row as a JSON object, with `diagnostics` as an object inside it.
std::string render_record(const ResultTable& table,
                          const std::vector<std::pair<std::string, std::string>>& diagnostics);

} // namespace moesim
