#include "sim/report/report_table.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

namespace moesim {

std::size_t ReportTable::find(const std::string& column) const {
  return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), column) -
                                  columns.begin());
}

std::string shown_value(const std::string& text) {
  const std::filesystem::path path(text);
  return path.extension() == ".toml" ? path.stem().string() : text;
}

std::optional<double> finite_number(const std::string& text) {
  double value = 0.0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value))
    return std::nullopt;
  return value;
}

TableReader::TableReader(const ReportTable& table) : table_(table) {
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    positions_.emplace(table.columns[i], i);
  for (const auto& row : table.rows)
    INVARIANT(row.size() == table.columns.size(), "cells {} columns {}", row.size(),
              table.columns.size());
}

const std::string& TableReader::text(std::size_t row, const std::string& column) const {
  static const std::string none;
  const auto found = positions_.find(column);
  return found == positions_.end() ? none : table_.rows[row][found->second];
}

std::optional<double> TableReader::number(std::size_t row, const std::string& column) const {
  return finite_number(text(row, column));
}

bool TableReader::ran_with(const std::string& column) const {
  for (std::size_t row = 0; row < size(); ++row)
    if (is_ok(row) && !text(row, column).empty())
      return true;
  return false;
}

} // namespace moesim
