#include "sim/cost/compute_tables.hpp"

#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <tuple>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr double microsecond = 1e-6;

Precision precision_at(const CsvTable& table, std::size_t row) {
  const std::size_t column = table.column("precision");
  const std::string& text = table.text(row, column);
  for (const Precision precision : {Precision::bf16, Precision::fp8})
    if (text == name_of(precision))
      return precision;
  throw InputError(table.where(row, column),
                   fmt::format("precision: \"{}\" is not bf16 or fp8", text),
                   suggest_name(text, {"bf16", "fp8"}));
}

/// Reads the named columns of a row and remembers the row, so that none comes twice.
class RowReader {
public:
  RowReader(const CsvTable& table, const std::vector<std::string>& shape) : table_(table) {
    for (const std::string& name : shape)
      shape_columns_.push_back(table.column(name));
  }

  ShapeGrid::Shape shape(std::size_t row, Precision precision) {
    ShapeGrid::Shape shape{};
    for (std::size_t i = 0; i < shape_columns_.size(); ++i)
      shape[i] = table_.positive_number(row, shape_columns_[i]);
    if (!seen_.emplace(precision, shape).second)
      throw InputError(table_.where(row, shape_columns_.front()), "this shape is given twice");
    return shape;
  }

private:
  const CsvTable& table_;
  std::vector<std::size_t> shape_columns_;
  std::set<std::pair<Precision, ShapeGrid::Shape>> seen_;
};

} // namespace

TimeTable read_gemm_table(const fs::path& folder, Precision precision) {
  if (!fs::exists(folder / "gemm.csv"))
    return {};
  const CsvTable table = CsvTable::read(folder / "gemm.csv");
  table.expect_columns({"precision", "m", "n", "k", "time_us"});
  RowReader reader(table, {"m", "n", "k"});
  const std::size_t time = table.column("time_us");
  TimeTable points;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision here = precision_at(table, row);
    const ShapeGrid::Shape shape = reader.shape(row, here);
    const double seconds = table.positive_number(row, time) * microsecond;
    if (here == precision)
      points.push_back({shape, seconds});
  }
  return points;
}

TimeTable read_attention_table(const fs::path& folder) {
  if (!fs::exists(folder / "attention.csv"))
    return {};
  const CsvTable table = CsvTable::read(folder / "attention.csv");
  table.expect_columns({"batch", "sequence", "q_heads", "kv_heads", "head_dim", "time_us"});
  RowReader reader(table, {"batch", "sequence", "q_heads", "kv_heads", "head_dim"});
  const std::size_t time = table.column("time_us");
  TimeTable points;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const ShapeGrid::Shape shape = reader.shape(row, Precision::bf16);
    points.push_back({shape, table.positive_number(row, time) * microsecond});
  }
  return points;
}

std::vector<ExpertTable> read_grouped_gemm_table(const fs::path& folder, Precision precision) {
  if (!fs::exists(folder / "grouped_gemm.csv"))
    return {};
  const CsvTable table = CsvTable::read(folder / "grouped_gemm.csv");
  table.expect_columns({"precision", "hidden", "moe_ffn", "groups", "tokens_per_group",
                        "fused_time_us", "products_time_us"});
  RowReader reader(table, {"groups", "tokens_per_group", "hidden", "moe_ffn"});
  const std::size_t time = table.column("products_time_us");
  std::vector<ExpertTable> experts;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision here = precision_at(table, row);
    const auto [groups, tokens, hidden, moe_ffn, unused] = reader.shape(row, here);
    const double seconds = table.positive_number(row, time) * microsecond;
    if (here != precision)
      continue;
    auto found = std::find_if(experts.begin(), experts.end(),
                              [&, h = hidden, f = moe_ffn](const ExpertTable& expert) {
                                return expert.hidden == h && expert.moe_ffn == f;
                              });
    if (found == experts.end())
      found = experts.insert(found, {hidden, moe_ffn, {}});
    found->times.push_back({{groups, tokens}, seconds});
  }
  return experts;
}

} // namespace moesim
