#pragma once

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/segment.hpp"
#include "sim/workload/workload.hpp"

#include <memory>

namespace moesim {

/// The bytes of one token's activations: bf16, or fp8 with a 4-byte scale for each 128 values
/// (DeepSeek-V3, arXiv 2412.19437, section 3.3).
std::int64_t token_bytes(std::int64_t hidden, Precision precision);

/// Tokens to their experts, or gradients of the experts' results, by the workload's dispatcher and
/// a layer's load.
CollectiveWork dispatch(const Workload& workload, const std::shared_ptr<const ExpertLoad>& load,
                        Direction direction);
/// The way back: results, or gradients of the experts' inputs.
CollectiveWork combine(const Workload& workload, const std::shared_ptr<const ExpertLoad>& load,
                       Direction direction);

/// The forward segments of one layer's attention blocks, labelled as those of LayerRef::Kind::own.
void add_attention(Sequence& out, const LayerSpec& spec, const Workload& workload,
                   const Sizes& sizes);
/// Those of its feed-forward: router, dispatch, experts and combine in an MoE layer.
void add_feed_forward(Sequence& out, const LayerSpec& spec, const Workload& workload,
                      const Sizes& sizes);
/// Final norm, logits and loss.
void add_head(Sequence& out, const Workload& workload, const Sizes& sizes);

} // namespace moesim
