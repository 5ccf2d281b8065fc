#include "sim/cost/compute_tables.hpp"

#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr double microsecond = 1e-6;
/// What cuda_microbench measured, below a device's folder of published tables.
constexpr const char* own_measurements = "measured";

/// One of `names` in a cell, by its position.
std::size_t choice_at(const CsvTable& table, std::size_t row, const char* column_name,
                      const std::vector<std::string>& names) {
  const std::size_t column = table.column(column_name);
  const std::string& text = table.text(row, column);
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end())
    throw InputError(
        table.where(row, column),
        fmt::format("{}: \"{}\" is not {}", column_name, text, fmt::join(names, " or ")),
        suggest_name(text, names));
  return static_cast<std::size_t>(found - names.begin());
}

Precision precision_at(const CsvTable& table, std::size_t row) {
  return static_cast<Precision>(
      choice_at(table, row, "precision", {"bf16", "fp8", "fp8_per_tensor"}));
}

/// What times the experts of a precision: one kind of fp8 rows serves every scale.
bool serves_experts(Precision rows, Precision precision) {
  return is_fp8(rows) == is_fp8(precision);
}

/// A table of a device folder; no value if there is no such file.
std::optional<CsvTable> read_table(const fs::path& path, std::vector<std::string> columns) {
  if (!fs::exists(path))
    return std::nullopt;
  CsvTable table = CsvTable::read(path);
  for (const char* measured : {"noise_percent", "samples"})
    if (table.has_column(measured))
      columns.emplace_back(measured);
  table.expect_columns(columns);
  table.expect_complete();
  return table;
}

/// Reads the named columns of a row and remembers the row, so that none comes twice.
class RowReader {
public:
  RowReader(const CsvTable& table, const std::vector<std::string>& shape) : table_(table) {
    for (const std::string& name : shape)
      shape_columns_.push_back(table.column(name));
  }

  /// `variant`: what else tells rows of the same shape apart.
  TimeGrid::Shape shape(std::size_t row, std::size_t variant) {
    TimeGrid::Shape shape{};
    for (std::size_t i = 0; i < shape_columns_.size(); ++i)
      shape[i] = table_.positive_number(row, shape_columns_[i]);
    if (!seen_.emplace(variant, shape).second)
      throw InputError(table_.where(row, shape_columns_.front()), "this shape is given twice");
    return shape;
  }

private:
  const CsvTable& table_;
  std::vector<std::size_t> shape_columns_;
  std::set<std::pair<std::size_t, TimeGrid::Shape>> seen_;
};

/// The table of that name, which is new if there was none.
ExpertTable& table_named(std::vector<ExpertTable>& tables, const std::string& name) {
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [&](const ExpertTable& table) { return table.name == name; });
  if (found != tables.end())
    return *found;
  tables.emplace_back().name = name;
  return tables.back();
}

/// Layers in one launch: gate and up together, then down.
std::vector<ExpertTable> read_fused(const CsvTable& table, Precision precision) {
  RowReader reader(table, {"groups", "tokens_per_group", "hidden", "moe_ffn"});
  const std::size_t time = table.column("products_time_us");
  std::vector<ExpertTable> experts;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision here = precision_at(table, row);
    const auto [groups, tokens, hidden, moe_ffn, unused] =
        reader.shape(row, static_cast<std::size_t>(here));
    const double seconds = table.positive_number(row, time) * microsecond;
    if (!serves_experts(here, precision))
      continue;
    ExpertTable& kind = table_named(experts, fmt::format("hidden {}, moe_ffn {}", hidden, moe_ffn));
    kind.products = {{2.0 * moe_ffn, hidden}, {hidden, moe_ffn}};
    kind.derived = true;
    kind.times.push_back({{groups, tokens}, seconds});
  }
  return experts;
}

/// Single products, of equal loads; the rows of uneven ones are for comparison.
std::vector<ExpertTable> read_products(const CsvTable& table, Precision precision) {
  const std::vector<std::string> passes = {"forward", "data_gradient", "weight_gradient"};
  const std::vector<std::string> distributions = {"equal", "zipf", "trace"};
  RowReader reader(table, {"groups", "tokens", "n", "k"});
  const std::size_t time = table.column("time_us");
  std::vector<ExpertTable> experts;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision here = precision_at(table, row);
    const std::size_t pass = choice_at(table, row, "pass", passes);
    const std::size_t distribution = choice_at(table, row, "distribution", distributions);
    const auto [groups, tokens, n, k, unused] = reader.shape(
        row, (static_cast<std::size_t>(here) * passes.size() + pass) * distributions.size() +
                 distribution);
    const double seconds = table.positive_number(row, time) * microsecond;
    if (!serves_experts(here, precision) || distribution != 0)
      continue;
    ExpertTable& kind = table_named(experts, fmt::format("{} of k {} by n {}", passes[pass], k, n));
    kind.products = {{n, k}};
    kind.weight_gradient = pass == 2;
    kind.times.push_back({{groups, tokens / groups}, seconds});
  }
  return experts;
}

} // namespace

bool has_published_gemm(const fs::path& folder) {
  return fs::exists(folder / "gemm.csv");
}

std::map<Precision, TimeTable> read_gemm_tables(const fs::path& folder) {
  const fs::path path =
      has_published_gemm(folder) ? folder / "gemm.csv" : folder / own_measurements / "gemm.csv";
  const auto table = read_table(path, {"precision", "m", "n", "k", "time_us"});
  if (!table)
    return {};
  RowReader reader(*table, {"m", "n", "k"});
  const std::size_t time = table->column("time_us");
  std::map<Precision, TimeTable> tables;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const Precision precision = precision_at(*table, row);
    const TimeGrid::Shape shape = reader.shape(row, static_cast<std::size_t>(precision));
    tables[precision].push_back({shape, table->positive_number(row, time) * microsecond});
  }
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
  for (std::size_t row = 0; row < table->rows(); ++row)
    points.push_back({reader.shape(row, 0), table->positive_number(row, time) * microsecond});
  return points;
}

std::vector<ExpertTable> read_published_experts(const fs::path& folder, Precision precision) {
  if (const auto table = read_table(folder / "grouped_gemm.csv",
                                    {"precision", "hidden", "moe_ffn", "groups", "tokens_per_group",
                                     "fused_time_us", "products_time_us"}))
    return read_fused(*table, precision);
  return {};
}

std::vector<ExpertTable> read_expert_tables(const fs::path& folder, Precision precision) {
  const auto own =
      read_table(folder / own_measurements / "expert_gemm.csv",
                 {"precision", "pass", "distribution", "groups", "tokens", "n", "k", "time_us"});
  return own ? read_products(*own, precision) : read_published_experts(folder, precision);
}

} // namespace moesim
