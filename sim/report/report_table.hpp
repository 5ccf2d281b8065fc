#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// A table of a sweep as the report shows it: text cells, as in its CSV.
struct ReportTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  /// The index of a column; the number of columns if no column has this name.
  std::size_t find(const std::string& column) const;
  bool has(const std::string& column) const { return find(column) < columns.size(); }
};

/// The tables of a sweep for its report.
struct SweepTables {
  ReportTable results;          ///< results.csv
  ReportTable links = {};       ///< links.csv; without columns if the folder holds none
  ReportTable loads = {};       ///< loads.csv, likewise
  ReportTable percentiles = {}; ///< percentiles.csv, likewise
  ReportTable sensitivity = {}; ///< sensitivity.csv, likewise
};

/// A value of an axis for people: the stem of a TOML file's path
/// ("../../topologies/hgx-h100-ndr400.toml" is shown as "hgx-h100-ndr400"), any other text
/// unchanged.
std::string shown_value(const std::string& text);

/// The full text as a finite number; nothing if it is none.
std::optional<double> finite_number(const std::string& text);

/// Access to a table of results by the names of its columns. The table must outlive it.
class TableReader {
public:
  /// Throws InternalError if a row has more or fewer cells than the header.
  explicit TableReader(const ReportTable& table);

  std::size_t size() const { return table_.rows.size(); }
  /// A cell; empty for a column that the table lacks.
  const std::string& text(std::size_t row, const std::string& column) const;
  std::optional<double> number(std::size_t row, const std::string& column) const;
  bool has(const std::string& column) const { return positions_.contains(column); }
  /// Whether the row has a result: a table without a column `status` holds results alone.
  bool is_ok(std::size_t row) const { return !has("status") || text(row, "status") == "ok"; }
  /// Whether any point that ran has a value in the column.
  bool ran_with(const std::string& column) const;

private:
  const ReportTable& table_;
  std::map<std::string, std::size_t> positions_;
};

} // namespace moesim
