#pragma once

#include "sim/cost/time_grid.hpp"
#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

/// The measured tables of one device folder, as they stand in the files: published ones, and those
/// of cuda_microbench in its folder `measured`, which also have `noise_percent` and `samples`.
/// Every reader throws InputError, with the place, for a malformed file, a shape that is given
/// twice, and a last line without an end, where a copy was cut off. It reads the rows of the
/// precisions that it is asked for; of the others it checks the number of cells and the names.
namespace moesim {

/// A table of times by shape.
using TimeTable = std::vector<TimeGrid::Point>;

/// Whether a folder has a published `gemm.csv`, whose fp8 rows hold the cast of the m × k operand;
/// our own, in `measured`, hold none.
bool has_published_gemm(const std::filesystem::path& folder);

/// Rows of `gemm.csv` by precision, of the published one if there are both; shapes are (m, n, k).
/// Empty if the file is missing.
std::map<Precision, TimeTable> read_gemm_tables(const std::filesystem::path& folder,
                                                Precisions precisions = enumerators<Precision>);

/// Rows of `attention.csv`; shapes are (batch, sequence, q_heads, kv_heads, head_dim). Empty if the
/// file is missing.
TimeTable read_attention_table(const std::filesystem::path& folder);

/// One weight of an expert, k by n.
struct ExpertProduct {
  double n = 0.0;
  double k = 0.0;
};

/// Grouped products that were timed together.
struct ExpertTable {
  std::string name; ///< for messages and reports: "hidden 4096, moe_ffn 14336"
  std::vector<ExpertProduct> products;
  bool weight_gradient = false;
  /// The times are what is left of a fused layer without its memory-bound parts.
  bool derived = false;
  TimeTable times; ///< shapes are (groups, tokens_per_group)
};

/// Published layers, gate, up and down of one layer kind together: rows of `grouped_gemm.csv` by
/// precision, in the order of the file; empty if it is missing. Rows of fp8 serve both ways to
/// scale it.
std::map<Precision, std::vector<ExpertTable>>
read_published_experts(const std::filesystem::path& folder,
                       Precisions precisions = enumerators<Precision>);

/// Rows by precision, as above, of our own `expert_gemm.csv`, single grouped products under equal
/// loads; if that is missing, of the published `grouped_gemm.csv`, gate, up and down of one layer
/// kind together. In the order of the file; empty if both are missing.
std::map<Precision, std::vector<ExpertTable>>
read_expert_tables(const std::filesystem::path& folder,
                   Precisions precisions = enumerators<Precision>);

} // namespace moesim
