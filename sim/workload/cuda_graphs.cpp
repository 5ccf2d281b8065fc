#include "sim/workload/cuda_graphs.hpp"

#include "sim/workload/workload.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace moesim {

namespace {

std::vector<std::string> names_of_parts(const CudaGraphs& graphs) {
  std::vector<std::string> names;
  for (const CudaGraphPart& part : cuda_graph_parts)
    if (graphs.*part.member)
      names.emplace_back(part.name);
  return names;
}

} // namespace

std::string scope_words(const CudaGraphs& graphs) {
  const std::vector<std::string> names = names_of_parts(graphs);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, " "));
}

std::string scope_text(const CudaGraphs& graphs) {
  const std::vector<std::string> names = names_of_parts(graphs);
  return names.empty() ? "\"none\"" : fmt::format("[\"{}\"]", fmt::join(names, "\",\""));
}

namespace {

/// Whether the tokens of each expert, or their number on each rank, are known before the step.
bool static_shapes(const Workload& workload) {
  if (!workload.model.is_moe())
    return true;
  const RoutingSpec& routing = workload.routing;
  if (routing.capacity_factor > 0.0 && routing.pad_to_capacity)
    return true;
  const ParallelPlan& plan = workload.plan;
  const bool hybrid_ep = plan.expert > 1 &&
                         workload.communication.dispatcher == Dispatcher::node_limited &&
                         workload.communication.library == Library::hybridep;
  const bool offloads_experts = plan.offload_modules.contains(OffloadModule::expert) ||
                                plan.offload_modules.contains(OffloadModule::activation);
  return hybrid_ep && workload.training.fused_experts && plan.offload_layers == 0 &&
         !offloads_experts;
}

/// Parts of layers: Megatron-Core's --cuda-graph-modules.
CudaGraphs largest_parts(const Workload& workload) {
  const ParallelPlan& plan = workload.plan;
  CudaGraphs graphs;
  if (plan.recompute == Recompute::full || plan.offload_layers > 0)
    return graphs;
  graphs.attention = true;
  graphs.dense = std::any_of(workload.model.layers.begin(), workload.model.layers.end(),
                             [](const LayerSpec& layer) { return !layer.moe; });
  const bool repeats_moe = plan.recompute == Recompute::selective &&
                           plan.recompute_modules.contains(RecomputeModule::moe);
  graphs.router = workload.model.is_moe() && !repeats_moe;
  const bool drops_unpadded = workload.routing.capacity_factor > 0.0 &&
                              workload.communication.dispatcher == Dispatcher::all_to_all;
  graphs.preprocess = graphs.router && !drops_unpadded;
  return graphs;
}

} // namespace

CudaGraphs largest_scope(const Workload& workload) {
  const ParallelPlan& plan = workload.plan;
  if (plan.recompute == Recompute::full && plan.overlap_batches)
    return {};
  if (static_shapes(workload))
    return {.full_iteration = true};
  return largest_parts(workload);
}

} // namespace moesim
