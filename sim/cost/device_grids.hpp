#pragma once

#include "sim/cost/compute_constants.hpp"
#include "sim/cost/compute_tables.hpp"
#include "sim/cost/lent_tables.hpp"
#include "sim/cost/product_table.hpp"

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// A table for each precision.
template <typename Table> using ByPrecision = std::array<Table, enumerator_count<Precision>>;

/// One table of grouped GEMMs as a grid over (groups, tokens per group).
struct ExpertGrid {
  static constexpr std::size_t groups_axis = 0;
  static constexpr std::size_t tokens_axis = 1;
  ExpertTable table;
  std::vector<ExpertWeight> octaves; ///< log2 of the sizes of the table's weights
  TimeGrid times;
};

/// The tables of a device's grouped GEMMs, and of the single GEMMs that they are compared with.
struct ExpertTables {
  std::vector<ExpertGrid> experts;
  TimeGrid gemm;
};

/// Grids of attention's times, each as those of a forward pass whose query heads are as wide as its
/// value heads, scaled by FLOPs. Only `forward` is there without measurements of the others.
struct AttentionGrids {
  std::optional<TimeGrid> forward;
  std::optional<TimeGrid> backward;
  std::optional<TimeGrid> latent_forward; ///< query heads wider than value heads
  std::optional<TimeGrid> latent_backward;
};

/// The grid that times a kernel of attention, and the rules that its time then needs.
struct AttentionChoice {
  const TimeGrid* grid = nullptr; ///< valid as long as the grids
  bool latent_by_rule = false;
  bool backward_by_rule = false;
};
AttentionChoice choose_attention(const AttentionGrids& grids, const Kernel& kernel);

/// Efficiencies of attention over that of its forward pass, where they were not measured.
struct AttentionRules {
  double backward = 1.0;
  double latent = 1.0; ///< query heads wider than value heads
};

/// The rules of the constants.
AttentionRules attention_rules(const ComputeConstants& constants);

/// Tables of one device folder: what was measured, and what was published, as merged_tables.hpp
/// joins them. Axes of gemm: (m, n, k); time grows linearly with each. Axes of
/// attention: (batch, sequence, q_heads, kv_heads, head_dim); time grows with the square of the
/// sequence, not with kv_heads, linearly with the others. A device without GEMMs of one scale a
/// tensor takes those of scaled blocks.
struct DeviceGrids {
  ByPrecision<std::optional<TimeGrid>> gemm;
  ByPrecision<std::optional<CastGrid>> casts;   ///< casts before the timed GEMMs
  ByPrecision<std::vector<ExpertGrid>> experts; ///< empty without a gemm table
  /// Points of `gemm` and of `attention.forward`.
  ByPrecision<TimeTable> gemm_points;
  TimeTable attention_points;
  AttentionGrids attention;

  /// Reads the tables of `precisions`, which must include bf16. Where a part of a table was
  /// measured and none is published, that of the first of `lenders` stands in for it. Throws the
  /// errors of the readers of compute_tables.hpp.
  static DeviceGrids load(const std::filesystem::path& folder, const AttentionRules& rules,
                          const std::vector<Lender>& lenders,
                          Precisions precisions = enumerators<Precision>);

private:
  void load_gemms(const std::filesystem::path& folder, const std::vector<Lender>& lenders,
                  Precisions precisions);
};

/// A table of GEMMs as a grid.
TimeGrid gemm_grid(const TimeTable& points);
TimeGrid attention_grid(const TimeTable& points);
/// A table as a grid. Derived times are raised to at least those of single GEMMs in `gemm`:
/// subtracting the memory-bound parts, which the source fuses, makes them too short
/// (calibration/DEVIATIONS.md 4).
ExpertGrid expert_grid(ExpertTable table, const TimeGrid& gemm);

/// Sizes of a grouped GEMM, m × k by k × n for each group, or of the gradients of its weights. Real
/// numbers, as in the tables.
struct GroupedGemm {
  double groups = 0.0;
  double m = 0.0;
  double n = 0.0;
  double k = 0.0;
  GemmPass pass = GemmPass::forward;
};

/// The sizes of a grouped GEMM kernel.
GroupedGemm grouped_gemm_of(const Kernel& kernel);

/// Whether a table timed that weight, as stored or transposed.
bool has_weight(const ExpertTable& table, double n, double k);

/// Whether a table of the pass and weight timed one group: else it is timed as a single GEMM.
bool times_one_group(const std::vector<ExpertGrid>& experts, const GroupedGemm& shape);

/// The time of a grouped GEMM by a table of experts.
struct ExpertTime {
  double seconds = 0.0;
  bool measured = false; ///< inside the table
  bool scaled = false;   ///< by a stand-in, see ExpertTable
  bool other = false;    ///< no table has this weight
};

/// The time of a grouped GEMM on the device of the tables. It is the time in `gemm` of one GEMM
/// with the rows of all groups, times the loss factor of a table: its grouped time over its own
/// single GEMM's. Grouped GEMMs lose time as they read the weights of every group, and tiles end
/// with their group. For the sizes of a table the single GEMM cancels out, and with it its error.
/// Above a table the lost time is constant: it does not grow with the tokens. Below, tokens are
/// padded.
///
/// The table is that of the same weight, as stored or transposed. Without one, the result is the
/// median of the three nearest tables, in octaves of n and k, that cover the groups and tokens:
/// some tables have sizes for which a library chose a slow kernel. Tables serve
/// their own pass; without tables of the data gradient those of forward passes serve it. Nothing if
/// `experts` has no table of the pass.
std::optional<ExpertTime> expert_time(const std::vector<ExpertGrid>& experts, const TimeGrid& gemm,
                                      const GroupedGemm& shape);

} // namespace moesim
