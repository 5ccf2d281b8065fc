#pragma once

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/segment.hpp"
#include "sim/workload/workload.hpp"

#include <memory>

namespace moesim {

/// The bytes of one token's activations: bf16, or fp8 with a 4-byte scale for each 128 values
/// (DeepSeek-V3, arXiv 2412.19437, section 3.3).
std::int64_t token_bytes(std::int64_t hidden, Precision precision);

/// The dispatch of a layer: it sends tokens to their experts, or backward the gradients of the
/// experts' results.
CollectiveWork dispatch(const Workload& workload, const std::shared_ptr<const ExpertLoad>& load,
                        Direction direction);
/// The combine of a layer: it returns the experts' results, or backward the gradients of their
/// inputs.
CollectiveWork combine(const Workload& workload, const std::shared_ptr<const ExpertLoad>& load,
                       Direction direction);

/// Adds the forward segments of a layer's attention blocks, with labels of LayerRef::Kind::own.
void add_attention(Sequence& out, const LayerSpec& spec, const Workload& workload,
                   const Sizes& sizes);
/// Adds the forward segments of a layer's feed-forward; in an MoE layer router, dispatch, experts
/// and combine.
void add_feed_forward(Sequence& out, const LayerSpec& spec, const Workload& workload,
                      const Sizes& sizes);
/// Adds the final norm, logits and loss.
void add_head(Sequence& out, const Workload& workload, const Sizes& sizes);

} // namespace moesim
