#pragma once

#include "sim/cost/time_grid.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/workload/kernel.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Steps that the readers of kernel tables share.
namespace moesim {

/// The columns that follow the time in a table of cuda_microbench; a file may lack each.
inline constexpr const char* measuring_columns[] = {"noise_percent", "samples", "sm_clock_mhz"};

/// A table of a device folder; nothing if there is no such file. `optional` names columns that a
/// file may have. Throws InputError for other columns, and for a file without rows or without the
/// end of its last line.
std::optional<CsvTable> read_table(const std::filesystem::path& path,
                                   std::vector<std::string> columns,
                                   const std::vector<std::string>& optional = {});

/// The enumerator whose name a cell holds. Throws InputError for another name.
template <typename Enumeration, std::size_t n>
Enumeration choice_at(const CsvTable& table, std::size_t row, std::size_t column,
                      const std::array<Named<Enumeration>, n>& names) {
  const std::string_view text = table.view(row, column);
  if (const auto found = value_named(names, text))
    return *found;
  throw InputError(table.where(row, column),
                   fmt::format("{}: \"{}\" is not {}", table.columns()[column], text,
                               fmt::join(names_of(names), " or ")),
                   suggest_name(std::string(text), names_of(names)));
}

/// A cell in microseconds, as seconds. Throws InputError unless it is positive.
double seconds_at(const CsvTable& table, std::size_t row, std::size_t column);

/// A cell with a size, a positive number, as a whole number. Throws InputError for another.
std::int64_t whole_at(const CsvTable& table, std::size_t row, std::size_t column);

/// Whether `precisions` has `precision`.
bool holds(Precisions precisions, Precision precision);

/// Precisions, out of `precisions`, that a grouped GEMM's rows of `rows` serve: fp8 rows serve
/// every recipe of scales.
std::vector<Precision> served_by(Precision rows, Precisions precisions);

/// Reads the shape columns of rows, and finds shapes that are given twice. The table must outlive
/// it.
class RowReader {
public:
  RowReader(const CsvTable& table, const std::vector<std::string>& shape);

  /// The shape of a row. `variant` tells rows of the same shape apart.
  TimeGrid::Shape shape(std::size_t row, std::size_t variant);

  /// Throws InputError at the first row whose shape was read before. Call it after the last row.
  void expect_each_once();

private:
  struct Seen {
    std::size_t variant = 0;
    std::size_t row = 0;
    TimeGrid::Shape shape{};
  };
  const CsvTable& table_;
  std::vector<std::size_t> shape_columns_;
  std::vector<Seen> seen_;
};

} // namespace moesim
