#include "sim/schedule/step_stages.hpp"

#include <set>

namespace moesim {

StepStages::StepStages(StepGraph& graph, const Workload& workload, const DeviceLayout& layout,
                       const ExpertLoads& loads)
    : graph_(graph), workload_(workload), tables_(workload, graph.works), pairing_(tables_.works) {
  graph.devices = layout.devices;
  for (std::int64_t stage = 0; stage < workload.plan.pipeline; ++stage)
    stages_.push_back(place_stage(graph, tables_, workload, layout, loads, stage));
}

const std::vector<PairedSegment>& StepStages::merged(const OrderedPass& forward,
                                                     const OrderedPass& backward) {
  std::vector<PairedSegment>& found = merged_[{forward.segments, backward.segments}];
  if (found.empty())
    found = pairing_.merge(*forward.segments, *backward.segments);
  return found;
}

std::optional<std::pair<FedPass, std::int64_t>> StepStages::fed_by(std::int64_t stage,
                                                                   const ChunkPass& pass) const {
  if (pass.pass == Pass::backward_weight)
    return std::nullopt; // nothing waits for it but the end of the step
  const ParallelPlan& plan = workload_.plan;
  const bool backward = pass.pass != Pass::forward;
  const std::int64_t own = plan.virtual_stage(stage, pass.chunk);
  const std::int64_t next = backward ? own - 1 : own + 1;
  if (next < 0 || next >= plan.virtual_stage_count())
    return std::nullopt;
  // Virtual stages on one device need no transfer: their passes follow each other anyway.
  const std::int64_t holder = plan.holder(next, pass.chunk);
  if (holder == stage)
    return std::nullopt;
  return std::pair(FedPass{backward, next, pass.micro_batch}, holder);
}

std::uint32_t StepStages::pair_of(DeviceId source, DeviceId sink) {
  const auto [found, is_new] =
      pair_index_.try_emplace({source, sink}, static_cast<std::uint32_t>(graph_.pairs.size()));
  if (is_new)
    graph_.pairs.push_back({source, sink});
  return found->second;
}

std::vector<Communication> StepStages::communications() {
  CommunicationList list(graph_);
  std::set<const void*> listed; // passes and pairs
  for (std::int64_t number = 0; number < workload_.plan.pipeline; ++number) {
    const PlacedStage& stage = at(number);
    const auto add_transfers = [&](const OrderedPass& pass) {
      if (const auto fed = fed_by(number, pass.pass))
        for (std::size_t i = 0; i < stage.devices.size(); ++i)
          list.add_transfer(pair_of(stage.devices[i], at(fed->second).devices[i]));
    };
    list.add(stage, stage.start);
    for_each_pass(
        stage,
        [&](const OrderedPass& pass) {
          if (listed.insert(pass.segments).second)
            list.add(stage, *pass.segments);
          add_transfers(pass);
        },
        [&](const OrderedPass& forward, const OrderedPass& backward) {
          const std::vector<PairedSegment>& segments = merged(forward, backward);
          if (listed.insert(&segments).second)
            for (const PairedSegment& segment : segments)
              list.add(stage, segment.segment);
          add_transfers(forward);
          add_transfers(backward);
        });
    list.add(stage, stage.end);
  }
  return list.found();
}

} // namespace moesim
