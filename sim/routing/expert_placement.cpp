#include "sim/routing/expert_placement.hpp"

#include "sim/routing/load_shares.hpp"

#include <algorithm>

namespace moesim {

namespace {

/// Tokens that each rank sends to each expert of a layer over the micro-batches of a step, as
/// multiples of its routed tokens in one micro-batch.
TokensBySource tokens_of_step(const Workload& workload, std::int64_t layer) {
  const RoutingSpec& routing = workload.routing;
  const std::int64_t micro_batches =
      routing.rows_differ_by_micro_batch() ? workload.plan.micro_batches(workload.training) : 1;
  const std::int64_t sources = routing.differs_by_source() ? workload.plan.expert : 1;
  TokensBySource tokens(
      static_cast<std::size_t>(sources),
      std::vector<double>(static_cast<std::size_t>(workload.model.experts.experts), 0.0));
  for (std::int64_t source = 0; source < sources; ++source)
    for (std::int64_t micro_batch = 0; micro_batch < micro_batches; ++micro_batch) {
      std::vector<double>& sum = tokens[static_cast<std::size_t>(source)];
      const std::vector<double> shares = load_shares(workload, {layer, micro_batch, source});
      std::transform(sum.begin(), sum.end(), shares.begin(), sum.begin(), std::plus<>());
    }
  tokens.resize(static_cast<std::size_t>(workload.plan.expert), tokens.front());
  return tokens;
}

} // namespace

PlacementRequest placement_request(const Workload& workload) {
  const RoutingSpec& routing = workload.routing;
  const std::int64_t expert = workload.plan.expert;
  return {routing.placement,
          workload.model.experts.experts,
          expert,
          routing.scale_up_gpus == 0
              ? expert
              : std::max<std::int64_t>(1, routing.scale_up_gpus / workload.plan.expert_tensor),
          workload.model.experts.groups,
          routing.redundant_experts};
}

Placement placement_of(const Workload& workload, std::int64_t layer) {
  return place_experts(placement_request(workload), tokens_of_step(workload, layer));
}

} // namespace moesim
