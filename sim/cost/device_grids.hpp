#pragma once

#include "sim/cost/compute_tables.hpp"
#include "sim/cost/product_table.hpp"

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// A table for each precision.
template <typename Table> using ByPrecision = std::array<Table, enumerator_count<Precision>>;

/// One table of grouped products as a grid over (groups, tokens per group).
struct ExpertGrid {
  static constexpr std::size_t groups_axis = 0;
  static constexpr std::size_t tokens_axis = 1;
  ExpertTable table;
  std::vector<ExpertProduct> octaves; ///< log2 of the sizes of the table's products
  TimeGrid times;
};

/// Tables of one device folder. Axes: gemm (m, n, k), which the time grows with; attention
/// (batch, sequence, q_heads, kv_heads, head_dim), which it grows with but for kv_heads, and as the
/// square of the sequence. A device without products of one scale a tensor runs those of blocks.
struct DeviceGrids {
  ByPrecision<std::optional<TimeGrid>> gemm;
  ByPrecision<std::optional<CastGrid>> casts;   ///< of what was cast before a timed product
  ByPrecision<std::vector<ExpertGrid>> experts; ///< empty without a gemm table
  std::optional<TimeGrid> attention;

  /// Reads the tables of `precisions`, bf16 among them. Throws InputError as the readers of
  /// compute_tables.hpp do.
  static DeviceGrids load(const std::filesystem::path& folder,
                          Precisions precisions = enumerators<Precision>);
};

TimeGrid gemm_grid(const TimeTable& points);
TimeGrid attention_grid(const TimeTable& points);
/// Times that are derived are no less than those of single products in `gemm`: taking off the
/// memory-bound parts, which the source fuses, overdoes it (calibration/DEVIATIONS.md 4).
ExpertGrid expert_grid(ExpertTable table, const TimeGrid& gemm);

/// Groups of products of m × k by k × n each, or the gradients of their weights; real numbers, as
/// the sizes of the tables are.
struct GroupedProduct {
  double groups = 0.0;
  double m = 0.0;
  double n = 0.0;
  double k = 0.0;
  bool weight_gradient = false;
};

/// The sizes of a kernel of grouped products.
GroupedProduct grouped_product(const Kernel& kernel);

/// How a table of experts times a grouped product.
struct ExpertTime {
  double seconds = 0.0;
  bool measured = false; ///< inside the table
  bool other = false;    ///< no table is of these experts
};

/// The time of a grouped product on the device of the tables: that of one product with the rows of
/// all groups in `gemm`, times what the experts of a table lose against such single products: the
/// weights of every group are read, and tiles end with their group. On the experts that a table
/// timed the single product cancels out, and with it its error. Above a table the time lost stays:
/// it does not grow with the tokens; below, tokens are padded.
///
/// The table is that of the same weight, as stored or transposed. If there is none, the middle of
/// the three nearest, in octaves of n and k, that cover the groups and tokens; single tables have
/// sizes for which a library chose a slow kernel. Tables of the weight gradient are for weight
/// gradients only; no value if `experts` has none of that pass.
std::optional<ExpertTime> expert_time(const std::vector<ExpertGrid>& experts, const TimeGrid& gemm,
                                      const GroupedProduct& product);

} // namespace moesim
