#pragma once

#include "sim/cost/time_grid.hpp"
#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

/// The published tables of one device folder; those that a user measured are in
/// measured_tables.hpp. Every reader throws InputError, with the position, for a malformed file, a
/// shape that is given twice, and a last line without an end, as of a file that was cut off. It
/// reads the rows of the given precisions; of other rows it checks only the number of cells and the
/// names.
namespace moesim {

/// A table of times by shape.
using TimeTable = std::vector<TimeGrid::Point>;

/// Rows of `gemm.csv` by precision; shapes are (m, n, k). fp8 rows include the cast of the m × k
/// operand. Empty if the file is missing.
std::map<Precision, TimeTable> read_gemm_tables(const std::filesystem::path& folder,
                                                Precisions precisions = tabled_precisions);

/// Rows of `attention.csv`, forward; shapes are (batch, sequence, q_heads, kv_heads, head_dim).
/// Empty if the file is missing.
TimeTable read_attention_table(const std::filesystem::path& folder);

/// One weight of an expert, k by n.
struct ExpertWeight {
  double n = 0.0;
  double k = 0.0;
};

/// Times of the grouped GEMMs of one expert.
struct ExpertTable {
  std::string name; ///< for messages and reports: "hidden 4096, moe_ffn 14336"
  std::vector<ExpertWeight> products;
  GemmPass pass = GemmPass::forward;
  /// Whether times are those of a fused layer minus its memory-bound parts.
  bool derived = false;
  /// Whether a published table stands in: its times are scaled by what was measured of others.
  bool scaled = false;
  TimeTable times = {}; ///< shapes are (groups, tokens_per_group)
};

/// Published layers, gate, up and down of one layer kind together: rows of `grouped_gemm.csv` by
/// precision, in the order of the file; empty if it is missing. Rows of fp8 serve both recipes of
/// scales.
std::map<Precision, std::vector<ExpertTable>>
read_expert_tables(const std::filesystem::path& folder, Precisions precisions = tabled_precisions);

} // namespace moesim
