#pragma once

#include "sim/workload/workload.hpp"

#include <string>

namespace moesim {

/// The pipeline as text of at most 120 columns: a line a stage, then a legend. F, B, I (gradients
/// of inputs) and W (gradients of weights) come with the micro-batch, and with the chunk as a
/// letter if there are several. Each pass is one column wide, a backward pass with both gradients
/// two. Passes side by side are joined by "&" and have the width of both. Cut to 2 × stages
/// micro-batches.
std::string draw_pipeline(const ParallelPlan& plan, std::int64_t micro_batches);

/// A line for each stage with the contents of its chunks: embedding, layers, head, multi-token
/// prediction.
std::string list_stages(const ParallelPlan& plan, const ModelSpec& model);

} // namespace moesim
