#include "sim/report/result_table.hpp"

#include "sim/report/csv_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace moesim {

namespace {

using nlohmann::ordered_json;

ordered_json json_cell(const std::string& cell) {
  if (cell.empty())
    return nullptr;
  double value = 0.0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc{} || end != cell.data() + cell.size())
    return cell;
  // Whole numbers stay whole: 128, not 128.0.
  std::int64_t whole = 0;
  const auto [whole_end, whole_error] =
      std::from_chars(cell.data(), cell.data() + cell.size(), whole);
  if (whole_error == std::errc{} && whole_end == cell.data() + cell.size())
    return whole;
  return value;
}

ordered_json json_row(const ResultTable& table, const std::vector<std::string>& row) {
  ordered_json object = ordered_json::object();
  for (std::size_t column = 0; column < table.columns.size(); ++column)
    object[table.columns[column]] = json_cell(row[column]);
  return object;
}

ordered_json json_rows(const ResultTable& table) {
  ordered_json list = ordered_json::array();
  for (const auto& row : table.rows)
    list.push_back(json_row(table, row));
  return list;
}

std::string render_text(const ResultTable& table) {
  std::vector<std::size_t> widths;
  for (const std::string& column : table.columns)
    widths.push_back(column.size());
  for (const auto& row : table.rows)
    for (std::size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], row[column].size());
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column)
      line += fmt::format("{:<{}}", row[column], widths[column] + 2);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  add(table.columns);
  for (const auto& row : table.rows)
    add(row);
  return text;
}

} // namespace

std::string render(const ResultTable& table, TableFormat format) {
  if (format == TableFormat::table)
    return render_text(table);
  if (format == TableFormat::json)
    return json_rows(table).dump(2) + "\n";
  std::string text = csv_line(table.columns) + "\n";
  for (const auto& row : table.rows)
    text += csv_line(row) + "\n";
  return text;
}

std::string render_tables(const std::vector<std::pair<std::string, ResultTable>>& tables) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, table] : tables)
    object[name] = json_rows(table);
  return object.dump(2) + "\n";
}

std::string render_record(const ResultTable& table,
                          const std::vector<std::pair<std::string, std::string>>& diagnostics) {
  ordered_json object = json_row(table, table.rows.front());
  for (const auto& [name, value] : diagnostics)
    object["diagnostics"][name] = json_cell(value);
  return object.dump(2) + "\n";
}

} // namespace moesim
