#pragma once

#include "sim/metrics/step_metrics.hpp"
#include "sim/metrics/step_result.hpp"

namespace moesim {

/// Fills the columns lost_*_percent: the loss, 100 - savings_kept_percent, split over the parts of
/// the step. `dense` is the waterfall of the dense twin's step; `result` holds its own waterfall
/// and its comparison with the twin. No columns are filled where savings_kept_percent is missing.
///
/// The ideal step takes the time of the twin's over ideal_speedup, in each part of the waterfall. A
/// term is the MoE's time in a part less the ideal time there, negative where the MoE does better
/// than its twin. A millisecond loses 100 ideal / (ideal - 1) / step_time_ms percentage points, so
/// that the terms add up to the loss.
///
/// - ideal_speedup counts all FLOPs. Thus the ideal time of all computes, attention and head
///   included, is the MoE's FLOPs at the twin's efficiency, recomputation included. The difference
///   beside router and permutation is lost efficiency: lost_expert_gemm_percent.
/// - imbalance_gemm_ms is taken out of the computes, imbalance_all_to_all_ms out of the exposed
///   all-to-all, of whose both terms each gives its share.
void fill_lost_savings(const Waterfall& dense, StepResult& result);

} // namespace moesim
