#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/collective.hpp"
#include "sim/workload/model_spec.hpp"
#include "sim/workload/parallel_plan.hpp"
#include "sim/workload/routing_spec.hpp"

namespace moesim {

/// How tokens travel to their experts and back.
enum class Dispatcher {
  all_to_all,   ///< one all-to-all over the expert-parallel group: NCCL
  all_gather,   ///< every rank receives all tokens of the group; results are reduce-scattered
  hierarchical, ///< an all-to-all within the scale-up domain, then one between domains
  node_limited  ///< once to each scale-up domain, forwarded there: DeepEP, HybridEP
};

/// The names in scenarios.
inline constexpr auto dispatcher_names =
    std::to_array<Named<Dispatcher>>({{Dispatcher::all_to_all, "alltoall"},
                                      {Dispatcher::all_gather, "allgather"},
                                      {Dispatcher::hierarchical, "hierarchical"},
                                      {Dispatcher::node_limited, "node-limited"}});
static_assert(names_each(dispatcher_names));

/// What hides dispatch and combine.
enum class Overlap {
  none,
  shared_expert, ///< the shared experts' compute runs beside dispatch
  batch          ///< another micro-batch (ParallelPlan::overlap_batches)
};

/// The names in scenarios.
inline constexpr auto overlap_names =
    std::to_array<Named<Overlap>>({{Overlap::none, "none"},
                                   {Overlap::shared_expert, "shared-expert"},
                                   {Overlap::batch, "batch"}});
static_assert(names_each(overlap_names));

struct CommunicationSpec {
  Dispatcher dispatcher = Dispatcher::all_to_all;
  Precision dispatch_precision = Precision::bf16; ///< of the bytes that dispatch sends
  Library library = Library::deepep;              ///< of node_limited
  /// Dispatch and combine leave the scale-up domain, and the host posts their messages: it launches
  /// nothing more before they have ended.
  bool host_posts = false;
  /// The shared experts' compute runs while dispatch is under way.
  bool overlap_shared_expert = false;
  /// Gathering and summing of tensor parallelism run beside the products that they feed and empty
  /// (Megatron-LM's --tp-comm-overlap).
  bool overlap_tensor = false;
  /// Gradients are reduced beside the last backward pass, weights gathered beside the first forward
  /// pass.
  bool overlap_data_parallel = false;
  /// What a dispatch or combine waits for the last rank of its group, on average: how unevenly
  /// ranks arrive, of which an even load says nothing.
  Seconds wait_for_ranks;
};

/// Which part of the kernels the host launches one by one, which as CUDA graphs. Names are
/// Megatron-Core's (--cuda-graph-scope).
struct CudaGraphs {
  bool full_iteration = true; ///< the whole step is a graph: the host is never late
  bool attention = false;     ///< attn
  bool router = false;        ///< moe_router
  bool preprocess = false;    ///< moe_preprocess: the permutation before dispatch
  bool dense = false;         ///< mlp
};

/// What one optimizer step computes and how it is split: all that the schedule needs.
struct Workload {
  ModelSpec model;
  ParallelPlan plan;
  TrainingSpec training;
  RoutingSpec routing;
  CommunicationSpec communication;
  CudaGraphs graphs;
};

/// Experts that one rank holds in a layer, copies included.
std::int64_t experts_per_rank(const Workload& workload);

/// Tokens of one micro-batch on one rank, when split over the tensor-parallel group.
std::int64_t tokens_per_rank(const Workload& workload);

} // namespace moesim
