#pragma once

#include "sim/cost/compute_tables.hpp"

#include <filesystem>
#include <optional>

namespace moesim {

/// Times of kernels that cast values to fp8.
struct CastGrid {
  TimeGrid times;               ///< axes: (rows, columns)
  double bytes_per_value = 0.0; ///< bytes that the timed cast moved for each value
};

/// A table of GEMMs, and the casts that were timed with them.
struct ProductTable {
  TimeTable products;            ///< shapes are (m, n, k)
  std::optional<CastGrid> casts; ///< casts of the m × k operand; nothing if none was timed
};

/// The GEMM tables of a device folder, by precision. Published fp8 rows include the cast of the m ×
/// k operand, whose time depends on m and k alone. The time of the narrowest GEMMs is that of
/// reading this operand: without the cast, fp8 takes half the time of bf16. The time above that
/// half is the cast's; it is subtracted from each GEMM of that m and k. (On H100 4096 × 4096 × 7168
/// keeps 184 of 236 us; deepseek-ai/DeepGEMM@a6d97a1 takes 184.) No GEMM keeps less than the
/// shortest one of bf16. The precisions must include bf16. Empty if the file is missing. Throws the
/// errors of read_gemm_tables.
std::map<Precision, ProductTable> product_tables(const std::filesystem::path& folder,
                                                 Precisions precisions = tabled_precisions);

} // namespace moesim
