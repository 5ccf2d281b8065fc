#pragma once

#include <array>
#include <compare>
#include <string>

namespace moesim {

struct Workload;

/// Kernels that run as CUDA graphs; the host launches the others one by one. None without a
/// `cuda_graph_scope`, as in Megatron-Core: the default of `cuda_graph_impl` is "none"
/// (NVIDIA/Megatron-LM docs/user-guide/features/cuda_graph.md@117c06d9).
struct CudaGraphs {
  bool full_iteration = false; ///< the whole step is a graph: the host is never late
  bool attention = false;      ///< attn
  bool router = false;         ///< moe_router
  bool preprocess = false;     ///< moe_preprocess: the permutation before dispatch
  bool dense = false;          ///< mlp

  auto operator<=>(const CudaGraphs&) const = default;
};

/// A part of a scope, and its name: Megatron-Core's (--cuda-graph-scope, since 2026
/// --cuda-graph-modules; --cuda-graph-impl full_iteration).
struct CudaGraphPart {
  const char* name;
  bool CudaGraphs::*member;
};
inline constexpr auto cuda_graph_parts =
    std::to_array<CudaGraphPart>({{"full_iteration", &CudaGraphs::full_iteration},
                                  {"attn", &CudaGraphs::attention},
                                  {"moe_router", &CudaGraphs::router},
                                  {"moe_preprocess", &CudaGraphs::preprocess},
                                  {"mlp", &CudaGraphs::dense}});

/// The parts of a scope with spaces between: "attn moe_router"; "none".
std::string scope_words(const CudaGraphs& graphs);
/// A scope as a scenario writes it: `"none"`, or `["attn","moe_router"]`.
std::string scope_text(const CudaGraphs& graphs);

/// The largest scope that Megatron-Core captures under the plan of a workload, by its own checks
/// (megatron/core/transformer/transformer_config.py@002526d8, docs/user-guide/features/
/// cuda_graph.md@117c06d9 and paged_stash.md@15014c21):
/// - The full iteration needs static shapes: a dense model; experts padded to their capacity; or
///   HybridEP with a budget of tokens for each rank, which asks for fused experts and nothing of
///   them offloaded.
/// - Else parts of layers: attention, dense feed-forwards, the router unless it is repeated with
///   its layer, and the permutation, unless an all-to-all drops tokens without padding.
/// - Full recompute allows the full iteration alone, and no graph where batches overlap. Layers
///   whose activations wait in host memory allow the full iteration alone.
CudaGraphs largest_scope(const Workload& workload);

} // namespace moesim
