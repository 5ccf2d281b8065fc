#pragma once

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/segment.hpp"
#include "sim/workload/workload.hpp"

#include <memory>
#include <string>

namespace moesim {

/// The bytes of one token's activations: bf16, or fp8 with a 4-byte scale for each 128 values
/// (DeepSeek-V3, arXiv 2412.19437, section 3.3).
std::int64_t token_bytes(std::int64_t hidden, Precision precision);

/// Tokens to their experts, and results back, by the workload's dispatcher and a layer's load.
CollectiveWork dispatch(const std::string& name, const Workload& workload,
                        const std::shared_ptr<const ExpertLoad>& load);
CollectiveWork combine(const std::string& name, const Workload& workload,
                       const std::shared_ptr<const ExpertLoad>& load);

/// The forward segments of one layer's attention blocks. `layer` starts the names of operations:
/// "Layer[3]".
void add_attention(Sequence& out, const std::string& layer, const LayerSpec& spec,
                   const Workload& workload, const Sizes& sizes);
/// Those of its feed-forward: router, dispatch, experts and combine in an MoE layer.
void add_feed_forward(Sequence& out, const std::string& layer, const LayerSpec& spec,
                      const Workload& workload, const Sizes& sizes);
/// Final norm, logits and loss.
void add_head(Sequence& out, const Workload& workload, const Sizes& sizes);

} // namespace moesim
