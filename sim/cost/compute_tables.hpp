#pragma once

#include "sim/cost/shape_grid.hpp"
#include "sim/workload/kernel.hpp"

#include <filesystem>
#include <vector>

/// The measured tables of one device folder, as they stand in the files.
namespace moesim {

/// A table of times: the shape of each row and its time in seconds as value.
using TimeTable = std::vector<ShapeGrid::Point>;

/// Rows of `gemm.csv` of one precision; shapes are (m, n, k). Empty if the file is missing. Throws
/// InputError if it is malformed.
TimeTable read_gemm_table(const std::filesystem::path& folder, Precision precision);

/// Rows of `attention.csv`; shapes are (batch, sequence, q_heads, kv_heads, head_dim). Empty if the
/// file is missing. Throws InputError if it is malformed.
TimeTable read_attention_table(const std::filesystem::path& folder);

/// The experts of one layer kind: times of gate, up and down products together.
struct ExpertTable {
  double hidden = 0.0;
  double moe_ffn = 0.0;
  TimeTable times; ///< shapes are (groups, tokens_per_group)
};

/// Rows of `grouped_gemm.csv` of one precision, in the order in which the layer kinds appear. Empty
/// if the file is missing. Throws InputError if it is malformed.
std::vector<ExpertTable> read_grouped_gemm_table(const std::filesystem::path& folder,
                                                 Precision precision);

} // namespace moesim
