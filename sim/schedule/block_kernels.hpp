#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/workload/token_fan_out.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace moesim {

/// Sizes of a layer's kernels on one rank for one micro-batch.
struct Sizes {
  std::int64_t tokens = 0;          ///< tokens of one micro-batch on one rank of context
                                    ///< parallelism
  std::int64_t tokens_per_rank = 0; ///< tokens of one rank, a share of `tokens` under sequence
                                    ///< parallelism
  std::int64_t hidden = 0;
  std::int64_t tensor = 1;
  Precision precision = Precision::bf16;  ///< precision of GEMMs
  CastBytes cast;                         ///< casts before GEMMs
  LayerSpec layer = {};                   ///< of attention: its kind, window and chunks
  std::shared_ptr<const ExpertLoad> load; ///< load of the layer; null: all experts have the same
                                          ///< load
  std::optional<std::int64_t> rank;       ///< rank of the expert-parallel group; nothing: the
                                          ///< busiest
};

/// The sizes that all layers share, without a load of experts.
Sizes sizes_of(const Workload& workload);
/// The sizes of an MoE layer and micro-batch with `load`, for one rank of the expert-parallel
/// group, or for the busiest.
Sizes sizes_of_layer(const Workload& workload, std::shared_ptr<const ExpertLoad> load,
                     std::optional<std::int64_t> rank = std::nullopt);

/// Pairs (one token on one of its experts) that one rank sends into a dispatch, without dropped
/// ones.
std::int64_t routed_tokens_per_rank(const Workload& workload, const Sizes& sizes);
/// Pairs that the experts of one rank compute, including those from the ranks that share its
/// experts by width. Under uniform load a rank computes the number of pairs that it sends.
std::int64_t expert_tokens_per_rank(const Workload& workload, const Sizes& sizes);
TokenFanOut fan_out_of(const Workload& workload);
/// Tokens of a rank at the second level of two-level gates; 0 for one gate. A token counts once for
/// each group that its experts are in, on average.
std::int64_t second_gate_tokens(const Workload& workload, const Sizes& sizes);
/// Number of router scores of a rank's tokens. One gate scores all experts; two-level gates score
/// all groups, and the experts of the groups that a token's experts are in.
std::int64_t router_scores(const Workload& workload, const Sizes& sizes);
/// Whether dispatch reads tokens in their layer's layout and combine writes sums to it (DeepEP,
/// HybridEP). Then no separate kernel packs or adds them at their source.
bool dispatches_in_place(const Workload& workload);

/// Heads of a rank of tensor parallelism; at least one.
std::int64_t heads_per_rank(std::int64_t heads, std::int64_t tensor);
/// A memory-bound kernel that reads and writes `values` bf16 values in total.
Kernel touch(KernelPart part, std::int64_t values);
/// The norm before a block. Selective recompute may make it again.
Kernel layer_norm(const Workload& workload, KernelPart part, const Sizes& sizes);
/// The add that ends a block. With dropout it writes a mask of one byte a value, which its gradient
/// reads.
Kernel residual(const Workload& workload, KernelPart part, const Sizes& sizes);
/// A GEMM of all tokens of the micro-batch with a k × n weight.
Kernel token_gemm(KernelPart part, const Sizes& sizes, std::int64_t n, std::int64_t k);

/// The forward kernels of one rank for one micro-batch: first those of attention.
std::vector<Kernel> attention_kernels(const Workload& workload, const Sizes& sizes);
/// A feed-forward of `width` on one rank, of a dense layer or of shared experts, without norm and
/// residual.
std::vector<Kernel> feed_forward_kernels(const Workload& workload, const Sizes& sizes,
                                         KernelPart part, std::int64_t width);
/// A dense layer's feed-forward with its norm and residual.
std::vector<Kernel> dense_kernels(const Workload& workload, const LayerSpec& layer,
                                  const Sizes& sizes);
/// Norm, scores, top-k, and the gather that packs tokens by destination. Two-level gates (Shazeer
/// et al., arXiv 1701.06538, appendix B) add a gate over groups, a gather by group, and the gates
/// within groups as one grouped GEMM.
std::vector<Kernel> router_kernels(const Workload& workload, const Sizes& sizes);
/// The routed experts of one rank. All its experts are assumed to have the mean number of tokens.
std::vector<Kernel> expert_kernels(const Workload& workload, const Sizes& sizes);
/// The weighted sum of a token's experts, and the residual.
std::vector<Kernel> unpermute_kernels(const Workload& workload, const Sizes& sizes);
std::vector<Kernel> embedding_kernels(const Sizes& sizes);
/// The norms and the projection before a layer of multi-token prediction.
std::vector<Kernel> mtp_projection_kernels(const Sizes& sizes);
/// Final norm, logits and cross-entropy.
std::vector<Kernel> head_kernels(const Workload& workload, const Sizes& sizes);

} // namespace moesim
