#pragma once

#include "sim/workload/workload.hpp"

#include <string>

namespace moesim {

/// The pipeline as text of at most 120 columns: a line a stage, then a legend of what is in them.
/// F, B, I (gradients of inputs) and W (of weights) come with the micro-batch, and with the chunk
/// as a letter where there are several. Each pass is one column wide, a whole backward pass two;
/// passes side by side are joined by "&" and as wide as both. Cut to 2 × stages micro-batches.
std::string draw_pipeline(const ParallelPlan& plan, std::int64_t micro_batches);

/// A line for each stage with what its chunks hold: embedding, layers, head, multi-token
/// prediction.
std::string list_stages(const ParallelPlan& plan, const ModelSpec& model);

} // namespace moesim
