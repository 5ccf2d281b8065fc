#include "sim/cost/compute_tables.hpp"

#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr double microsecond = 1e-6;
/// What cuda_microbench measured, below a device's folder of published tables.
constexpr const char* own_measurements = "measured";

/// The gradient, or none, that a product was timed for.
enum class ProductPass { forward, data_gradient, weight_gradient };
constexpr auto product_pass_names =
    std::to_array<Named<ProductPass>>({{ProductPass::forward, "forward"},
                                       {ProductPass::data_gradient, "data_gradient"},
                                       {ProductPass::weight_gradient, "weight_gradient"}});
static_assert(names_each(product_pass_names));

/// How the tokens of a timed product lay over its groups.
enum class TokenDistribution { equal, zipf, trace };
constexpr auto token_distribution_names =
    std::to_array<Named<TokenDistribution>>({{TokenDistribution::equal, "equal"},
                                             {TokenDistribution::zipf, "zipf"},
                                             {TokenDistribution::trace, "trace"}});
static_assert(names_each(token_distribution_names));

/// The enumerator that a cell names.
template <typename Enumeration, std::size_t n>
Enumeration choice_at(const CsvTable& table, std::size_t row, const char* column_name,
                      const std::array<Named<Enumeration>, n>& names) {
  const std::size_t column = table.column(column_name);
  const std::string_view text = table.view(row, column);
  if (const auto found = value_named(names, text))
    return *found;
  throw InputError(
      table.where(row, column),
      fmt::format("{}: \"{}\" is not {}", column_name, text, fmt::join(names_of(names), " or ")),
      suggest_name(std::string(text), names_of(names)));
}

Precision precision_at(const CsvTable& table, std::size_t row) {
  return choice_at(table, row, "precision", precision_names);
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

/// Reads the named columns of rows, and knows if a shape comes twice.
class RowReader {
public:
  RowReader(const CsvTable& table, const std::vector<std::string>& shape) : table_(table) {
    for (const std::string& name : shape)
      shape_columns_.push_back(table.column(name));
    seen_.reserve(table.rows());
  }

  /// The shape of a row. `variant` tells rows of the same shape apart.
  TimeGrid::Shape shape(std::size_t row, std::size_t variant) {
    TimeGrid::Shape shape{};
    for (std::size_t i = 0; i < shape_columns_.size(); ++i)
      shape[i] = table_.positive_number(row, shape_columns_[i]);
    std::size_t hash = variant;
    for (std::size_t i = 0; i < shape_columns_.size(); ++i)
      hash = (hash ^ std::hash<double>{}(shape[i])) * 0x9e3779b97f4a7c15U + (hash >> 29U);
    seen_.push_back({hash, row, variant, shape});
    return shape;
  }

  /// Throws InputError at the first row whose shape was read before; after the last row.
  void expect_each_once() {
    std::sort(seen_.begin(), seen_.end(), [](const Seen& a, const Seen& b) {
      return std::pair(a.hash, a.row) < std::pair(b.hash, b.row);
    });
    std::optional<std::size_t> again;
    for (std::size_t i = 1; i < seen_.size(); ++i)
      if (seen_[i].hash == seen_[i - 1].hash && seen_[i].variant == seen_[i - 1].variant &&
          seen_[i].shape == seen_[i - 1].shape)
        again = std::min(again.value_or(seen_[i].row), seen_[i].row);
    if (again)
      throw InputError(table_.where(*again, shape_columns_.front()), "this shape is given twice");
  }

private:
  struct Seen {
    std::size_t hash = 0; ///< of variant and shape
    std::size_t row = 0;
    std::size_t variant = 0;
    TimeGrid::Shape shape{};
  };
  const CsvTable& table_;
  std::vector<std::size_t> shape_columns_;
  std::vector<Seen> seen_;
};

using TablesByPrecision = std::map<Precision, std::vector<ExpertTable>>;

/// The precisions that rows of one serve: one kind of fp8 rows serves every scale.
std::vector<Precision> served_by(Precision rows) {
  if (!is_fp8(rows))
    return {rows};
  return {Precision::fp8, Precision::fp8_per_tensor};
}

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
TablesByPrecision read_fused(const CsvTable& table) {
  RowReader reader(table, {"groups", "tokens_per_group", "hidden", "moe_ffn"});
  const std::size_t time = table.column("products_time_us");
  TablesByPrecision experts;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision here = precision_at(table, row);
    const auto [groups, tokens, hidden, moe_ffn, unused] = reader.shape(row, index(here));
    const double seconds = table.positive_number(row, time) * microsecond;
    for (const Precision served : served_by(here)) {
      ExpertTable& kind =
          table_named(experts[served], fmt::format("hidden {}, moe_ffn {}", hidden, moe_ffn));
      kind.products = {{2.0 * moe_ffn, hidden}, {hidden, moe_ffn}};
      kind.derived = true;
      kind.times.push_back({{groups, tokens}, seconds});
    }
  }
  reader.expect_each_once();
  return experts;
}

/// Single products, of equal loads; the rows of uneven ones are for comparison.
TablesByPrecision read_products(const CsvTable& table) {
  RowReader reader(table, {"groups", "tokens", "n", "k"});
  const std::size_t time = table.column("time_us");
  TablesByPrecision experts;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision here = precision_at(table, row);
    const ProductPass pass = choice_at(table, row, "pass", product_pass_names);
    const TokenDistribution distribution =
        choice_at(table, row, "distribution", token_distribution_names);
    const std::size_t variant = (index(here) * enumerator_count<ProductPass> + index(pass)) *
                                    enumerator_count<TokenDistribution> +
                                index(distribution);
    const auto [groups, tokens, n, k, unused] = reader.shape(row, variant);
    const double seconds = table.positive_number(row, time) * microsecond;
    if (distribution != TokenDistribution::equal)
      continue;
    for (const Precision served : served_by(here)) {
      ExpertTable& kind =
          table_named(experts[served],
                      fmt::format("{} of k {} by n {}", name_of(product_pass_names, pass), k, n));
      kind.products = {{n, k}};
      kind.weight_gradient = pass == ProductPass::weight_gradient;
      kind.times.push_back({{groups, tokens / groups}, seconds});
    }
  }
  reader.expect_each_once();
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
    const TimeGrid::Shape shape = reader.shape(row, index(precision));
    tables[precision].push_back({shape, table->positive_number(row, time) * microsecond});
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
  for (std::size_t row = 0; row < table->rows(); ++row)
    points.push_back({reader.shape(row, 0), table->positive_number(row, time) * microsecond});
  reader.expect_each_once();
  return points;
}

std::map<Precision, std::vector<ExpertTable>> read_published_experts(const fs::path& folder) {
  if (const auto table = read_table(folder / "grouped_gemm.csv",
                                    {"precision", "hidden", "moe_ffn", "groups", "tokens_per_group",
                                     "fused_time_us", "products_time_us"}))
    return read_fused(*table);
  return {};
}

std::map<Precision, std::vector<ExpertTable>> read_expert_tables(const fs::path& folder) {
  const auto own =
      read_table(folder / own_measurements / "expert_gemm.csv",
                 {"precision", "pass", "distribution", "groups", "tokens", "n", "k", "time_us"});
  return own ? read_products(*own) : read_published_experts(folder);
}

} // namespace moesim
