#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/collective.hpp"
#include "sim/workload/cuda_graphs.hpp"
#include "sim/workload/model_spec.hpp"
#include "sim/workload/parallel_plan.hpp"
#include "sim/workload/routing_spec.hpp"

namespace moesim {

/// The algorithm that carries tokens to their experts and back.
enum class Dispatcher {
  all_to_all,   ///< one all-to-all over the expert-parallel group: NCCL
  all_gather,   ///< every rank receives all tokens of the group; results are reduce-scattered
  hierarchical, ///< an all-to-all within the scale-up domain, then one between domains
  node_limited  ///< a token once to each scale-up domain, forwarded there: DeepEP, HybridEP
};

/// The names in scenarios.
inline constexpr auto dispatcher_names =
    std::to_array<Named<Dispatcher>>({{Dispatcher::all_to_all, "alltoall"},
                                      {Dispatcher::all_gather, "allgather"},
                                      {Dispatcher::hierarchical, "hierarchical"},
                                      {Dispatcher::node_limited, "node-limited"}});
static_assert(names_each(dispatcher_names));

/// The work that hides dispatch and combine.
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
  Precision dispatch_precision = Precision::bf16; ///< format of the tokens that dispatch sends
  Library library = Library::deepep;              ///< kernels of node_limited
  /// Whether dispatch and combine leave the scale-up domain while the host posts their messages.
  /// The host then launches no kernel before they end.
  bool host_posts = false;
  /// Whether the shared experts compute during dispatch.
  bool overlap_shared_expert = false;
  /// Whether all-gathers and reduce-scatters of tensor parallelism run beside the GEMMs before and
  /// after them (Megatron-LM's --tp-comm-overlap).
  bool overlap_tensor = false;
  /// Whether gradients are reduced beside the last backward pass and weights gathered beside the
  /// first forward pass.
  bool overlap_data_parallel = false;
  /// Mean time that a dispatch or combine waits for the last rank of its group. It covers uneven
  /// arrival that the loads do not explain.
  Seconds wait_for_ranks;
};

/// Inputs of the schedule: the computation of one optimizer step and its split over GPUs.
struct Workload {
  ModelSpec model;
  ParallelPlan plan;
  TrainingSpec training;
  RoutingSpec routing;
  CommunicationSpec communication;
  CudaGraphs graphs;
};

/// Experts that one rank holds in a layer, replicas included.
std::int64_t experts_per_rank(const Workload& workload);

/// Tokens of one micro-batch on one rank, split over the tensor-parallel group under sequence
/// parallelism.
std::int64_t tokens_per_rank(const Workload& workload);

} // namespace moesim
