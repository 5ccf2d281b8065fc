#include "sim/schedule/fp8_casts.hpp"

namespace moesim {

namespace {

constexpr std::int64_t bf16_read = 2;
constexpr std::int64_t fp8_read = 1;
constexpr std::int64_t fp8_written = 1;
/// Bytes a value to cast a tensor with scaled rows to scaled columns.
constexpr std::int64_t cast_again = fp8_read + fp8_written;

} // namespace

Precision gemm_precision(const TrainingSpec& training) {
  const bool one_scale = training.fp8_recipe == Fp8Recipe::per_tensor;
  return training.precision == Precision::fp8 && one_scale ? Precision::fp8_per_tensor
                                                           : training.precision;
}

CastBytes cast_bytes(const TrainingSpec& training) {
  if (!is_quantised(training.precision))
    return {};
  // Transformer Engine's NVFP4BlockScaling reads a tensor once for its largest value, then once to
  // write it twice in 4 bits, by rows and, after a Hadamard transform, by columns.
  constexpr std::int64_t nvfp4_both_ways = 2 * bf16_read + 1;
  if (training.precision == Precision::nvfp4)
    return {nvfp4_both_ways, nvfp4_both_ways, 0};
  constexpr std::int64_t both_ways = bf16_read + 2 * fp8_written;
  constexpr std::int64_t one_way = bf16_read + fp8_written;
  if (training.fp8_recipe == Fp8Recipe::per_tensor)
    return {bf16_read + both_ways, bf16_read + both_ways, 0};
  if (training.fp8_recipe == Fp8Recipe::blockwise && training.compressed_activations)
    return {one_way, 2 * one_way, cast_again};
  return {both_ways, both_ways, 0};
}

ExpertCastBytes expert_cast_bytes(const Workload& workload) {
  const CastBytes casts = cast_bytes(workload.training);
  if (!is_quantised(workload.training.precision))
    return {};
  ExpertCastBytes experts{casts, casts};
  experts.first.together = experts.last.together =
      workload.training.fused_experts || workload.training.fp8_recipe == Fp8Recipe::blockwise;
  if (workload.training.fused_experts) {
    experts.first.gradient = 0;
    experts.last.input = 0;
  }
  if (dispatch_cast_bytes(workload) > 0) {
    experts.first.input = 0;
    experts.first.saved = cast_again;
    experts.last.gradient = cast_again;
  }
  return experts;
}

std::int64_t dispatch_cast_bytes(const Workload& workload) {
  const bool travels = workload.plan.expert > 1;
  return travels && is_quantised(workload.communication.dispatch_precision)
             ? bf16_read + fp8_written
             : 0;
}

} // namespace moesim
