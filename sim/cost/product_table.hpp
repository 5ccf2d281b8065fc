#pragma once

#include "sim/cost/compute_tables.hpp"

#include <filesystem>
#include <optional>

namespace moesim {

/// What a kernel takes that casts values to fp8.
struct CastGrid {
  TimeGrid times;               ///< over (rows, columns)
  double bytes_per_value = 0.0; ///< that it moved
};

/// A table of products, and the casts that were timed with them.
struct ProductTable {
  TimeTable products;            ///< shapes are (m, n, k)
  std::optional<CastGrid> casts; ///< of the m × k operand; none if none was timed
};

/// The products of a device folder by precision, those that it has. Published fp8 rows hold the
/// cast of the m × k operand, which no other size counts for. The narrowest products do nothing but
/// read that operand: without its cast such a product takes half the time of bf16, and that much
/// the cast has of each product of that m and k. (On H100 4096 × 4096 × 7168 is left with 184 of
/// 236 us; deepseek-ai/DeepGEMM@a6d97a1 takes 184.) No product is left less than the shortest one
/// of bf16, which must be among the precisions. Empty if the file is missing; throws InputError as
/// read_gemm_tables.
std::map<Precision, ProductTable> product_tables(const std::filesystem::path& folder,
                                                 Precisions precisions = enumerators<Precision>);

} // namespace moesim
