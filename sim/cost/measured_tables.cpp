#include "sim/cost/measured_tables.hpp"

#include "sim/cost/table_rows.hpp"

#include <algorithm>
#include <tuple>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The names of precisions in cuda_microbench's tables. MXFP8 is the scaled blocks of Blackwell, as
/// `fp8` is those of Hopper.
constexpr auto measured_precision_names =
    std::to_array<Named<Precision>>({{Precision::bf16, "bf16"},
                                     {Precision::fp8, "fp8"},
                                     {Precision::fp8_per_tensor, "fp8_per_tensor"},
                                     {Precision::fp8, "mxfp8"}});

constexpr auto pass_names =
    std::to_array<Named<GemmPass>>({{GemmPass::forward, "forward"},
                                    {GemmPass::data_gradient, "data_gradient"},
                                    {GemmPass::weight_gradient, "weight_gradient"}});
static_assert(names_each(pass_names));

/// The distribution of tokens over the groups of a timed GEMM.
enum class TokenDistribution { equal, zipf, trace };
constexpr auto distribution_names =
    std::to_array<Named<TokenDistribution>>({{TokenDistribution::equal, "equal"},
                                             {TokenDistribution::zipf, "zipf"},
                                             {TokenDistribution::trace, "trace"}});
static_assert(names_each(distribution_names));

/// How the library runs the groups: one grouped call, or a call a group over several streams.
enum class Implementation { grouped, streams };
constexpr auto implementation_names = std::to_array<Named<Implementation>>(
    {{Implementation::grouped, "grouped"}, {Implementation::streams, "streams"}});
static_assert(names_each(implementation_names));

/// The sum that the result is added to.
enum class Accumulation { none, fp32 };
constexpr auto accumulation_names = std::to_array<Named<Accumulation>>(
    {{Accumulation::none, "none"}, {Accumulation::fp32, "fp32"}});
static_assert(names_each(accumulation_names));

/// Bytes that a sum in fp32 reads and writes beyond a result in bf16, for each value.
constexpr double accumulated_bytes_per_value = 4.0 + 4.0 - 2.0;

/// The enumerator in a column that a table may lack; `otherwise` if it does.
template <typename Enumeration, std::size_t n>
Enumeration optional_choice(const CsvTable& table, std::size_t row, const char* column,
                            const std::array<Named<Enumeration>, n>& names, Enumeration otherwise) {
  return table.has_column(column) ? choice_at(table, row, table.column(column), names) : otherwise;
}

/// A timed grouped GEMM, whatever its distribution, implementation and sum.
struct ExpertRow {
  Precision precision = Precision::bf16;
  GemmPass pass = GemmPass::forward;
  TokenDistribution distribution = TokenDistribution::equal;
  Accumulation accumulation = Accumulation::none;
  TimeGrid::Shape shape{}; ///< groups, tokens, n, k

  auto operator<=>(const ExpertRow&) const = default;
};

using ExpertTimes = std::map<ExpertRow, double>;

/// The fastest implementation of each row, in seconds, and the rows in the order of the file.
std::pair<ExpertTimes, std::vector<ExpertRow>> read_expert_rows(const CsvTable& table) {
  RowReader reader(table, {"groups", "tokens", "n", "k"});
  const std::size_t precision = table.column("precision");
  const std::size_t pass = table.column("pass");
  const std::size_t distribution = table.column("distribution");
  const std::size_t time = table.column("time_us");
  ExpertTimes times;
  std::vector<ExpertRow> order;
  std::map<std::tuple<std::size_t, std::size_t, std::size_t, std::size_t, std::size_t>, std::size_t>
      variants;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    ExpertRow read{
        choice_at(table, row, precision, measured_precision_names),
        choice_at(table, row, pass, pass_names),
        choice_at(table, row, distribution, distribution_names),
        optional_choice(table, row, "accumulate", accumulation_names, Accumulation::none),
        {}};
    const Implementation implementation = optional_choice(
        table, row, "implementation", implementation_names, Implementation::grouped);
    const std::size_t variant =
        variants
            .try_emplace({index(read.precision), index(read.pass), index(read.distribution),
                          index(read.accumulation), index(implementation)},
                         variants.size())
            .first->second;
    read.shape = reader.shape(row, variant);
    const double seconds = seconds_at(table, row, time);
    const auto [known, added] = times.try_emplace(read, seconds);
    known->second = std::min(known->second, seconds);
    if (added)
      order.push_back(read);
  }
  reader.expect_each_once();
  return {std::move(times), std::move(order)};
}

/// Adds a row of equal loads to the table of its precision, pass and weight.
void add_point(std::vector<ExpertTable>& tables, const ExpertRow& row, double seconds) {
  const auto [groups, tokens, n, k, unused] = row.shape;
  const ExpertWeight weight =
      row.pass == GemmPass::data_gradient ? ExpertWeight{k, n} : ExpertWeight{n, k};
  auto table = std::find_if(tables.begin(), tables.end(), [&](const ExpertTable& known) {
    return known.pass == row.pass && known.products[0].n == weight.n &&
           known.products[0].k == weight.k;
  });
  if (table == tables.end())
    table = tables.insert(
        table, {.name = fmt::format("{} of k {} by n {}", name_of(pass_names, row.pass), k, n),
                .products = {weight},
                .pass = row.pass});
  table->times.push_back({{groups, tokens / groups}, seconds});
}

/// Tokens of the busiest group over the mean where the i-th of `groups` has a share in proportion
/// to 1/i.
double busiest_of_zipf(double groups) {
  double sum = 0.0;
  for (double rank = 1.0; rank <= groups; rank += 1.0)
    sum += 1.0 / rank;
  return groups / sum;
}

/// The time of the row with the same sizes under equal loads and without a sum.
std::optional<double> plain_seconds(const ExpertTimes& times, ExpertRow row) {
  row.distribution = TokenDistribution::equal;
  row.accumulation = Accumulation::none;
  const auto found = times.find(row);
  return found == times.end() ? std::nullopt : std::optional(found->second);
}

void add_row(MeasuredExperts& experts, const ExpertTimes& times, const ExpertRow& row,
             Precisions precisions) {
  const double seconds = times.at(row);
  const auto [groups, tokens, n, k, unused] = row.shape;
  const std::optional<double> plain = plain_seconds(times, row);
  if (row.distribution == TokenDistribution::zipf && row.accumulation == Accumulation::none &&
      plain && groups > 1.0)
    experts.uneven.push_back({groups, busiest_of_zipf(groups), seconds / *plain});
  if (row.distribution != TokenDistribution::equal)
    return;
  if (row.accumulation == Accumulation::none)
    for (const Precision each : served_by(row.precision, precisions))
      add_point(experts.tables[each], row, seconds);
  else if (plain)
    experts.accumulated.push_back({seconds - *plain, groups * n * k * accumulated_bytes_per_value});
}

} // namespace

MeasuredGemms read_measured_gemms(const fs::path& device, Precisions precisions) {
  const auto table = read_table(device / measured_folder / "gemm.csv",
                                {"precision", "m", "n", "k", "time_us"}, {"accumulate"});
  if (!table)
    return {};
  RowReader reader(*table, {"m", "n", "k"});
  const std::size_t precision_column = table->column("precision");
  const std::size_t time = table->column("time_us");
  MeasuredGemms gemms;
  std::map<std::pair<Precision, TimeGrid::Shape>, std::pair<double, double>> pairs; // none, fp32
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const Precision precision = choice_at(*table, row, precision_column, measured_precision_names);
    const Accumulation accumulation =
        optional_choice(*table, row, "accumulate", accumulation_names, Accumulation::none);
    if (!holds(precisions, precision))
      continue;
    const TimeGrid::Shape shape =
        reader.shape(row, index(precision) * enumerator_count<Accumulation> + index(accumulation));
    const double seconds = seconds_at(*table, row, time);
    auto& [none, fp32] = pairs[{precision, shape}];
    (accumulation == Accumulation::none ? none : fp32) = seconds;
    if (accumulation == Accumulation::none)
      gemms.times[precision].push_back({shape, seconds});
  }
  reader.expect_each_once();
  for (const auto& [key, seconds] : pairs)
    if (const auto& [none, fp32] = seconds; none > 0.0 && fp32 > 0.0)
      gemms.accumulated.push_back(
          {fp32 - none, key.second[0] * key.second[1] * accumulated_bytes_per_value});
  return gemms;
}

MeasuredExperts read_measured_experts(const fs::path& device, Precisions precisions) {
  const auto table =
      read_table(device / measured_folder / "expert_gemm.csv",
                 {"precision", "pass", "distribution", "groups", "tokens", "n", "k", "time_us"},
                 {"implementation", "accumulate"});
  if (!table)
    return {};
  const auto [times, order] = read_expert_rows(*table);
  MeasuredExperts experts;
  for (const ExpertRow& row : order)
    add_row(experts, times, row, precisions);
  return experts;
}

MeasuredAttention read_measured_attention(const fs::path& device) {
  enum class Direction { forward, backward };
  constexpr auto directions = std::to_array<Named<Direction>>(
      {{Direction::forward, "forward"}, {Direction::backward, "backward"}});
  static_assert(names_each(directions));
  const std::vector<std::string> shape = {"batch",    "sequence", "q_heads",
                                          "kv_heads", "head_dim", "value_dim"};
  std::vector<std::string> columns = shape;
  columns.insert(columns.end(), {"operation", "time_us"});
  const auto table = read_table(device / measured_folder / "attention.csv", columns);
  if (!table)
    return {};
  MeasuredAttention attention;
  RowReader reader(*table, {"batch", "sequence", "q_heads", "kv_heads", "value_dim"});
  const std::size_t operation = table->column("operation");
  const std::size_t head_column = table->column("head_dim");
  const std::size_t value_column = table->column("value_dim");
  const std::size_t time = table->column("time_us");
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const Direction direction = choice_at(*table, row, operation, directions);
    const double head_dim = table->positive_number(row, head_column);
    const bool latent = head_dim != table->positive_number(row, value_column);
    const TimeGrid::Shape sizes = reader.shape(row, 2 * index(direction) + (latent ? 1 : 0));
    const double value_dim = sizes[4];
    const bool backward = direction == Direction::backward;
    const double flops = 0.5 * (head_dim + value_dim) / value_dim *
                         (backward ? attention_backward_flops_ratio : 1.0);
    TimeTable& points = latent ? (backward ? attention.latent_backward : attention.latent_forward)
                               : (backward ? attention.backward : attention.forward);
    points.push_back({sizes, seconds_at(*table, row, time) / flops});
  }
  reader.expect_each_once();
  return attention;
}

} // namespace moesim
