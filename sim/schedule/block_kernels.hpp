#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/workload/token_fan_out.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace moesim {

/// The sizes that every layer of a workload needs.
struct Sizes {
  std::int64_t tokens = 0;          ///< of one micro-batch on one rank of context parallelism
  std::int64_t tokens_per_rank = 0; ///< its share of those under sequence parallelism, else all
  std::int64_t hidden = 0;
  std::int64_t tensor = 1;
  Precision precision = Precision::bf16;  ///< of products
  CastBytes cast;                         ///< before products
  std::int64_t window = 0;                ///< LayerSpec::window
  std::shared_ptr<const ExpertLoad> load; ///< of the layer; nothing: all experts are alike
  std::optional<std::int64_t> rank;       ///< of the expert-parallel group; nothing: the busiest
};

/// The sizes of all layers, without a load of experts.
Sizes sizes_of(const Workload& workload);
/// Those of an MoE layer and micro-batch of that load, for one rank of its expert-parallel group,
/// or for the busiest.
Sizes sizes_of_layer(const Workload& workload, std::shared_ptr<const ExpertLoad> load,
                     std::optional<std::int64_t> rank = std::nullopt);

/// Tokens × experts that one rank sends into a dispatch, dropped ones left out.
std::int64_t routed_tokens_per_rank(const Workload& workload, const Sizes& sizes);
/// Tokens × experts that the experts of one rank compute: under uniform load as many as it sends;
/// and those of the ranks that share its experts.
std::int64_t expert_tokens_per_rank(const Workload& workload, const Sizes& sizes);
TokenFanOut fan_out_of(const Workload& workload);
/// How many tokens of a rank the second of two-level gates see: a token as often as its experts are
/// in several groups, on average. 0 for one gate.
std::int64_t second_gate_tokens(const Workload& workload, const Sizes& sizes);
/// The scores of a rank's tokens: for all experts; of two-level gates, for all groups, and for the
/// experts of the groups that a token's experts are in.
std::int64_t router_scores(const Workload& workload, const Sizes& sizes);
/// Dispatch takes tokens from where they lie and combine puts sums there (DeepEP, HybridEP): no
/// kernel of its own packs or adds them at their source.
bool dispatches_in_place(const Workload& workload);

/// The forward kernels of one rank for one micro-batch, by block of a layer.
std::vector<Kernel> attention_kernels(const Workload& workload, const Sizes& sizes);
/// A feed-forward of `width` on this rank, without norm and residual; of a dense layer or of shared
/// experts.
std::vector<Kernel> feed_forward_kernels(const Workload& workload, const Sizes& sizes,
                                         KernelPart part, std::int64_t width);
/// A dense layer's feed-forward with its norm and residual.
std::vector<Kernel> dense_kernels(const Workload& workload, const LayerSpec& layer,
                                  const Sizes& sizes);
/// Norm, scores, top-k, and the gather that packs tokens by destination. Of two-level gates
/// (Shazeer et al., arXiv 1701.06538, appendix B) the gate over groups, a gather by group, and the
/// gates within groups as one grouped product.
std::vector<Kernel> router_kernels(const Workload& workload, const Sizes& sizes);
/// The routed experts of this rank. Its experts are taken to have as many tokens each.
std::vector<Kernel> expert_kernels(const Workload& workload, const Sizes& sizes);
/// The weighted sum of a token's experts, and the residual.
std::vector<Kernel> unpermute_kernels(const Workload& workload, const Sizes& sizes);
std::vector<Kernel> embedding_kernels(const Sizes& sizes);
/// The norms and the projection before a layer of multi-token prediction.
std::vector<Kernel> mtp_projection_kernels(const Sizes& sizes);
/// Final norm, logits and cross-entropy.
std::vector<Kernel> head_kernels(const Workload& workload, const Sizes& sizes);

/// The gradients that a pass computes.
enum class Gradients {
  all,
  inputs, ///< all but the weights of products
  weights ///< of products
};

/// The backward pass of forward kernels, last first: two gradient products for a product, one of
/// its inputs and one of its weight, which adds itself to a sum of `sum_bytes` a parameter; the
/// attention gradient for attention; the same bytes for what packs and sorts tokens, twice the
/// bytes for what else is memory-bound. What is `repeated` runs once more before its gradient.
std::vector<Kernel> gradient_kernels(const std::vector<Kernel>& forward, Gradients gradients,
                                     std::int64_t sum_bytes);

} // namespace moesim
