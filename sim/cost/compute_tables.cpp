#include "sim/cost/compute_tables.hpp"

#include "sim/cost/table_rows.hpp"

#include <tuple>

namespace moesim {

namespace {

namespace fs = std::filesystem;

using TablesByPrecision = std::map<Precision, std::vector<ExpertTable>>;

/// Reads layers timed in one launch: gate and up together, then down.
TablesByPrecision read_fused(const CsvTable& table, Precisions precisions) {
  RowReader reader(table, {"hidden", "moe_ffn", "groups", "tokens_per_group"});
  const std::size_t precision = table.column("precision");
  const std::size_t time = table.column("products_time_us");
  TablesByPrecision experts;
  std::map<std::tuple<Precision, double, double>, std::size_t> numbers; // of the layers' tables
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision here = choice_at(table, row, precision, tabled_precision_names);
    const std::vector<Precision> served = served_by(here, precisions);
    if (served.empty())
      continue;
    const auto [hidden, moe_ffn, groups, tokens, unused] = reader.shape(row, index(here));
    const double seconds = seconds_at(table, row, time);
    for (const Precision each : served) {
      std::vector<ExpertTable>& tables = experts[each];
      const auto [number, added] = numbers.try_emplace({each, hidden, moe_ffn}, tables.size());
      if (added)
        tables.push_back({.name = fmt::format("hidden {}, moe_ffn {}", hidden, moe_ffn),
                          .products = {{2.0 * moe_ffn, hidden}, {hidden, moe_ffn}},
                          .derived = true});
      tables[number->second].times.push_back({{groups, tokens}, seconds});
    }
  }
  reader.expect_each_once();
  return experts;
}

} // namespace

std::map<Precision, TimeTable> read_gemm_tables(const fs::path& folder, Precisions precisions) {
  const auto table = read_table(folder / "gemm.csv", {"precision", "m", "n", "k", "time_us"});
  if (!table)
    return {};
  RowReader reader(*table, {"m", "n", "k"});
  const std::size_t precision_column = table->column("precision");
  const std::size_t time = table->column("time_us");
  std::map<Precision, TimeTable> tables;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const Precision precision = choice_at(*table, row, precision_column, tabled_precision_names);
    if (!holds(precisions, precision))
      continue;
    const TimeGrid::Shape shape = reader.shape(row, index(precision));
    tables[precision].push_back({shape, seconds_at(*table, row, time)});
  }
  reader.expect_each_once();
  return tables;
}

TimeTable read_attention_table(const fs::path& folder) {
  const std::vector<std::string> shape = {"batch", "sequence", "q_heads", "kv_heads", "head_dim"};
  std::vector<std::string> columns = shape;
  columns.emplace_back("time_us");
  const auto table = read_table(folder / "attention.csv", columns);
  if (!table)
    return {};
  RowReader reader(*table, shape);
  const std::size_t time = table->column("time_us");
  TimeTable points;
  points.reserve(table->rows());
  for (std::size_t row = 0; row < table->rows(); ++row)
    points.push_back({reader.shape(row, 0), seconds_at(*table, row, time)});
  reader.expect_each_once();
  return points;
}

std::map<Precision, std::vector<ExpertTable>> read_expert_tables(const fs::path& folder,
                                                                 Precisions precisions) {
  if (const auto table = read_table(folder / "grouped_gemm.csv",
                                    {"precision", "hidden", "moe_ffn", "groups", "tokens_per_group",
                                     "fused_time_us", "products_time_us"}))
    return read_fused(*table, precisions);
  return {};
}

} // namespace moesim
