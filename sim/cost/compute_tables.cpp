#include "sim/cost/compute_tables.hpp"

#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr double microsecond = 1e-6;
/// Folder of cuda_microbench's measurements, below a device's folder of published tables.
constexpr const char* own_measurements = "measured";

/// The pass whose GEMM was timed.
enum class ProductPass { forward, data_gradient, weight_gradient };
constexpr auto product_pass_names =
    std::to_array<Named<ProductPass>>({{ProductPass::forward, "forward"},
                                       {ProductPass::data_gradient, "data_gradient"},
                                       {ProductPass::weight_gradient, "weight_gradient"}});
static_assert(names_each(product_pass_names));

/// The distribution of tokens over the groups of a timed GEMM.
enum class TokenDistribution { equal, zipf, trace };
constexpr auto token_distribution_names =
    std::to_array<Named<TokenDistribution>>({{TokenDistribution::equal, "equal"},
                                             {TokenDistribution::zipf, "zipf"},
                                             {TokenDistribution::trace, "trace"}});
static_assert(names_each(token_distribution_names));

/// The enumerator whose name a cell holds.
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

/// A table of a device folder; nothing if there is no such file.
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

/// Reads the shape columns of rows, and finds shapes that are given twice.
class RowReader {
public:
  RowReader(const CsvTable& table, const std::vector<std::string>& shape) : table_(table) {
    for (const std::string& name : shape)
      shape_columns_.push_back(table.column(name));
    seen_.reserve(table.rows());
  }

  /// The shape of a row. `variant` tells rows of the same shape apart.
  TimeGrid::Shape shape(std::size_t row, std::size_t variant) {
    Seen& seen = seen_.emplace_back(Seen{variant, row, {}});
    for (std::size_t i = 0; i < shape_columns_.size(); ++i)
      seen.shape[i] = table_.positive_number(row, shape_columns_[i]);
    return seen.shape;
  }

  /// Throws InputError at the first row whose shape was read before. Call it after the last row.
  void expect_each_once() {
    const auto before = [](const Seen& a, const Seen& b) {
      if (a.variant != b.variant)
        return a.variant < b.variant;
      return a.shape != b.shape ? a.shape < b.shape : a.row < b.row;
    };
    if (!std::is_sorted(seen_.begin(), seen_.end(), before)) // most files are
      std::sort(seen_.begin(), seen_.end(), before);
    std::optional<std::size_t> again;
    for (std::size_t i = 1; i < seen_.size(); ++i)
      if (seen_[i].variant == seen_[i - 1].variant && seen_[i].shape == seen_[i - 1].shape)
        again = std::min(again.value_or(seen_[i].row), seen_[i].row);
    if (again)
      throw InputError(table_.where(*again, shape_columns_.front()), "this shape is given twice");
  }

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

using TablesByPrecision = std::map<Precision, std::vector<ExpertTable>>;

bool holds(Precisions precisions, Precision precision) {
  return std::find(precisions.begin(), precisions.end(), precision) != precisions.end();
}

/// Precisions, out of `precisions`, that rows of `rows` serve: fp8 rows serve every recipe of
/// scales.
std::vector<Precision> served_by(Precision rows, Precisions precisions) {
  std::vector<Precision> served;
  for (const Precision precision : precisions)
    if (precision == rows || (is_fp8(precision) && is_fp8(rows)))
      served.push_back(precision);
  return served;
}

/// The key of GEMMs that were timed together: the pass, and the sizes that name their table.
using ProductKind = std::tuple<ProductPass, double, double>;

/// The tables of each precision, one for each kind of GEMMs, in the order of the file.
class TablesByKind {
public:
  /// The table of a kind, valid until the next call. A new table has no name.
  ExpertTable& of(Precision precision, const ProductKind& kind) {
    std::vector<ExpertTable>& tables = tables_[precision];
    const std::size_t number = numbers_[precision].try_emplace(kind, tables.size()).first->second;
    return number < tables.size() ? tables[number] : tables.emplace_back();
  }
  TablesByPrecision take() { return std::move(tables_); }

private:
  std::map<Precision, std::map<ProductKind, std::size_t>> numbers_;
  TablesByPrecision tables_;
};

/// Reads layers timed in one launch: gate and up together, then down.
TablesByPrecision read_fused(const CsvTable& table, Precisions precisions) {
  RowReader reader(table, {"hidden", "moe_ffn", "groups", "tokens_per_group"});
  const std::size_t precision = table.column("precision");
  const std::size_t time = table.column("products_time_us");
  TablesByKind experts;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision here = choice_at(table, row, precision, precision_names);
    const std::vector<Precision> served = served_by(here, precisions);
    if (served.empty())
      continue;
    const auto [hidden, moe_ffn, groups, tokens, unused] = reader.shape(row, index(here));
    const double seconds = table.positive_number(row, time) * microsecond;
    for (const Precision each : served) {
      ExpertTable& kind = experts.of(each, {ProductPass::forward, hidden, moe_ffn});
      if (kind.name.empty()) {
        kind.name = fmt::format("hidden {}, moe_ffn {}", hidden, moe_ffn);
        kind.products = {{2.0 * moe_ffn, hidden}, {hidden, moe_ffn}};
        kind.derived = true;
      }
      kind.times.push_back({{groups, tokens}, seconds});
    }
  }
  reader.expect_each_once();
  return experts.take();
}

/// Reads single GEMMs of equal loads; rows of uneven loads are for comparison only.
TablesByPrecision read_products(const CsvTable& table, Precisions precisions) {
  RowReader reader(table, {"groups", "tokens", "n", "k"});
  const std::size_t precision = table.column("precision");
  const std::size_t pass_column = table.column("pass");
  const std::size_t distribution_column = table.column("distribution");
  const std::size_t time = table.column("time_us");
  TablesByKind experts;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const Precision here = choice_at(table, row, precision, precision_names);
    const ProductPass pass = choice_at(table, row, pass_column, product_pass_names);
    const TokenDistribution distribution =
        choice_at(table, row, distribution_column, token_distribution_names);
    const std::vector<Precision> served = served_by(here, precisions);
    if (served.empty())
      continue;
    const std::size_t variant = (index(here) * enumerator_count<ProductPass> + index(pass)) *
                                    enumerator_count<TokenDistribution> +
                                index(distribution);
    const auto [groups, tokens, n, k, unused] = reader.shape(row, variant);
    const double seconds = table.positive_number(row, time) * microsecond;
    if (distribution != TokenDistribution::equal)
      continue;
    for (const Precision each : served) {
      ExpertTable& kind = experts.of(each, {pass, k, n});
      if (kind.name.empty()) {
        kind.name = fmt::format("{} of k {} by n {}", name_of(product_pass_names, pass), k, n);
        kind.products = {{n, k}};
        kind.weight_gradient = pass == ProductPass::weight_gradient;
      }
      kind.times.push_back({{groups, tokens / groups}, seconds});
    }
  }
  reader.expect_each_once();
  return experts.take();
}

} // namespace

bool has_published_gemm(const fs::path& folder) {
  return fs::exists(folder / "gemm.csv");
}

std::map<Precision, TimeTable> read_gemm_tables(const fs::path& folder, Precisions precisions) {
  const fs::path path =
      has_published_gemm(folder) ? folder / "gemm.csv" : folder / own_measurements / "gemm.csv";
  const auto table = read_table(path, {"precision", "m", "n", "k", "time_us"});
  if (!table)
    return {};
  RowReader reader(*table, {"m", "n", "k"});
  const std::size_t precision_column = table->column("precision");
  const std::size_t time = table->column("time_us");
  std::map<Precision, TimeTable> tables;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const Precision precision = choice_at(*table, row, precision_column, precision_names);
    if (!holds(precisions, precision))
      continue;
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
  points.reserve(table->rows());
  for (std::size_t row = 0; row < table->rows(); ++row)
    points.push_back({reader.shape(row, 0), table->positive_number(row, time) * microsecond});
  reader.expect_each_once();
  return points;
}

std::map<Precision, std::vector<ExpertTable>> read_published_experts(const fs::path& folder,
                                                                     Precisions precisions) {
  if (const auto table = read_table(folder / "grouped_gemm.csv",
                                    {"precision", "hidden", "moe_ffn", "groups", "tokens_per_group",
                                     "fused_time_us", "products_time_us"}))
    return read_fused(*table, precisions);
  return {};
}

std::map<Precision, std::vector<ExpertTable>> read_expert_tables(const fs::path& folder,
                                                                 Precisions precisions) {
  const auto own =
      read_table(folder / own_measurements / "expert_gemm.csv",
                 {"precision", "pass", "distribution", "groups", "tokens", "n", "k", "time_us"});
  return own ? read_products(*own, precisions) : read_published_experts(folder, precisions);
}

} // namespace moesim
