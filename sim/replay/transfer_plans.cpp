#include "sim/replay/transfer_plans.hpp"

namespace moesim {

TrafficPlan TransferPlans::of(const TransferWork& work, const DevicePair& pair) {
  if (!context_.symmetry)
    return plan(work, pair);
  const std::size_t classes =
      context_.layout.devices.size() / static_cast<std::size_t>(context_.plan.pipeline);
  const std::int64_t stage = context_.device(pair.source).stage;
  const auto [found, added] =
      known_.try_emplace({work.bytes.value, index(pair.source) % classes,
                          index(pair.sink) % classes, context_.device(pair.sink).stage - stage});
  StagePlan& known = found->second;
  if (!added) {
    TrafficPlan moved = known.plan;
    move_ahead(stage - known.stage, known.links, moved, context_);
    return moved;
  }
  known.stage = stage;
  context_.folding.record(&known.links);
  known.plan = plan(work, pair);
  context_.folding.record(nullptr);
  return known.plan;
}

TrafficPlan TransferPlans::plan(const TransferWork& work, const DevicePair& pair) {
  const Topology& topology = context_.topology;
  const RankId source = context_.device(pair.source).rank;
  const RankId sink = context_.device(pair.sink).rank;
  const bool inside = topology.domain_of(source) == topology.domain_of(sink);
  const Seconds startup =
      context_.costs.startup(point_to_point_kind(), {inside ? 1 : 0, inside ? 0 : 1}) +
      topology.latency(topology.route(source, sink));
  return {
      Collective::point_to_point,
      {{startup, model_.transfer(pair.source, pair.sink, static_cast<double>(work.bytes.value))}}};
}

} // namespace moesim
