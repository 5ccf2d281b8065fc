#pragma once

#include "sim/cost/compute_tables.hpp"

#include <filesystem>
#include <map>
#include <vector>

/// The tables that cuda_microbench measured, in the folder `measured` of a device. Every reader
/// throws the errors of compute_tables.hpp. A file that is missing gives nothing.
namespace moesim {

/// The folder of cuda_microbench's tables below that of a device.
inline constexpr const char* measured_folder = "measured";

/// The additional time of a GEMM that adds its result to a sum in fp32.
struct AccumulatedTime {
  double seconds = 0.0; ///< beyond the time of the same GEMM that writes a result in bf16; may be
                        ///< negative
  double bytes = 0.0;   ///< read and written more: 6 a value
};

/// Rows of `measured/gemm.csv`.
struct MeasuredGemms {
  std::map<Precision, TimeTable> times; ///< of rows that do not accumulate; shapes are (m, n, k)
  std::vector<AccumulatedTime> accumulated;
};
MeasuredGemms read_measured_gemms(const std::filesystem::path& device,
                                  Precisions precisions = tabled_precisions);

/// A grouped GEMM under uneven loads, beside the same tokens under equal loads.
struct UnevenTime {
  double groups = 0.0;
  double busiest = 1.0; ///< tokens of the busiest group over the mean
  double ratio = 1.0;   ///< time over that of equal loads
};

/// Rows of `measured/expert_gemm.csv`. Of several implementations of one shape the fastest counts.
struct MeasuredExperts {
  /// By precision, a table for each pass and weight, of equal loads, in the order of the file.
  std::map<Precision, std::vector<ExpertTable>> tables;
  std::vector<UnevenTime> uneven; ///< rows of Zipf's loads that have an equal row beside them
  std::vector<AccumulatedTime> accumulated;
};
MeasuredExperts read_measured_experts(const std::filesystem::path& device,
                                      Precisions precisions = tabled_precisions);

/// Rows of `measured/attention.csv`. Shapes are (batch, sequence, q_heads, kv_heads, value_dim).
/// Times are scaled by FLOPs to those of a forward pass whose query heads are as wide as its value
/// heads, as in the published table.
struct MeasuredAttention {
  TimeTable forward;
  TimeTable backward;
  TimeTable latent_forward; ///< query heads wider than value heads
  TimeTable latent_backward;

  bool any() const {
    return !(forward.empty() && backward.empty() && latent_forward.empty() &&
             latent_backward.empty());
  }
};
MeasuredAttention read_measured_attention(const std::filesystem::path& device);

} // namespace moesim
