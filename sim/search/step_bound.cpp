#include "sim/search/step_bound.hpp"

#include "sim/replay/traffic_planner.hpp"
#include "sim/schedule/build_step_graph.hpp"
#include "sim/schedule/placed_stage.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace moesim {

namespace {

/// The cost of one micro-batch and of the end of the step to a stage, when nothing waits.
struct StageTimes {
  Seconds forward;
  Seconds backward;
  Seconds end;
  Seconds send;   ///< of its activations to the next stage
  Seconds gather; ///< of weights beside the first forward pass, which needs them all
  Seconds reduce; ///< of gradients, from within the last backward pass on
  Seconds pass() const { return forward + backward; }
};

/// Times the blocks of a workload, each once, and adds them up by stage.
class StageBounds {
public:
  /// `stages_alike`: a collective takes as long in each stage.
  StageBounds(const Workload& workload, const ComputeCost& cost, bool stages_alike)
      : workload_(workload), stages_alike_(stages_alike), loads_(workload),
        tables_(workload, works_), times_(works_, cost), rule_(data_parallel_rule(workload)) {}

  /// The computes of a pass forward and back of a stage.
  Seconds computes(std::int64_t stage) {
    Seconds sum;
    for (const auto& [block, count] : counts(stage)) {
      const auto [known, added] = computes_.try_emplace(block);
      if (added)
        for (const auto& segments : {forward(block), backward(block)})
          for (const Segment& segment : segments)
            if (segment.kind == OpKind::compute)
              known->second += times_.of(works_.computes[segment.work]);
      sum += known->second * count;
    }
    return sum;
  }

  StageTimes stage(std::int64_t stage, TrafficPlanner& planner) {
    const auto device = DeviceId(static_cast<std::uint32_t>(stage));
    StageTimes times;
    for (const auto& [block, count] : counts(stage)) {
      times.forward += sequence_time(forward(block), planner, device) * count;
      times.backward += sequence_time(backward(block), planner, device) * count;
    }
    times.end =
        sequence_time(step_end_work(workload_, stage, loads_, tables_.works), planner, device);
    times.gather = detached_time(step_start_work(workload_, stage, tables_.works), planner, device);
    times.reduce = detached_time(last_communication(stage), planner, device);
    if (stage + 1 < workload_.plan.pipeline) {
      const auto next = DeviceId(static_cast<std::uint32_t>(stage + 1));
      const TrafficPlan send = planner.transfer(activation_transfer(workload_), {device, next});
      times.send = time_alone(send, planner.folding());
    }
    return times;
  }

private:
  /// How often a stage uses each block.
  std::map<std::uint32_t, double> counts(std::int64_t stage) {
    std::map<std::uint32_t, double> counts;
    for (std::int64_t chunk = 0; chunk < workload_.plan.chunks(); ++chunk)
      for (const BlockUse& use : tables_.blocks.uses(workload_.plan.virtual_stage(stage, chunk),
                                                     {&loads_, 0, std::nullopt}))
        counts[use.block] += 1.0;
    return counts;
  }

  const std::vector<Segment>& forward(std::uint32_t block) const {
    return tables_.blocks.at(block).segments;
  }

  /// The backward pass of a block, with its forward pass before it where that is repeated.
  const std::vector<Segment>& backward(std::uint32_t block) {
    const auto [known, added] = backward_.try_emplace(block);
    if (added) {
      Sequence out(tables_.works);
      const Block& of = tables_.blocks.at(block);
      if (of.repeated)
        out.append(of.segments, {});
      add_mirror(out, of.segments, {}, Gradients::all, tables_.works, tables_.gradients);
      known->second = out.take();
    }
    return known->second;
  }

  /// The data-parallel communication beside the last backward pass.
  std::vector<Segment> last_communication(std::int64_t stage) {
    Sequence out(tables_.works);
    if (!rule_.overlaps)
      return {};
    const DataParallelWork work(workload_, workload_.plan.virtual_stage(stage, 0));
    if (rule_.gathers_every_pass)
      work.start_gather(out);
    work.start_reduce(out);
    work.finish_reduce(out);
    return out.take();
  }

  Seconds time_of(const Segment& segment, TrafficPlanner& planner, DeviceId device) {
    if (segment.kind == OpKind::compute)
      return times_.of(works_.computes[segment.work]);
    const DeviceId at = stages_alike_ ? DeviceId(0) : device;
    const auto [known, added] = collectives_.try_emplace({segment.work, at});
    if (added) {
      const CollectiveWork& work = works_.collectives[segment.work];
      known->second = time_alone(planner.collective(work, {work.group, {at}}), planner.folding());
    }
    return known->second;
  }

  /// The time of a sequence, one segment after the other; of segments side by side the longer
  /// counts.
  Seconds sequence_time(const std::vector<Segment>& segments, TrafficPlanner& planner,
                        DeviceId device) {
    Seconds sum;
    Seconds last;
    for (const Segment& segment : segments) {
      if (segment.detached)
        continue; // hidden at best
      const Seconds time = time_of(segment, planner, device);
      sum += segment.beside_previous ? std::max(time, last) - last : time;
      last = time;
    }
    return sum;
  }

  /// The time of the segments that run beside the rest, on a stream of their own.
  Seconds detached_time(const std::vector<Segment>& segments, TrafficPlanner& planner,
                        DeviceId device) {
    Seconds sum;
    for (const Segment& segment : segments)
      if (segment.detached)
        sum += time_of(segment, planner, device);
    return sum;
  }

  const Workload& workload_;
  bool stages_alike_;
  ExpertLoads loads_;
  Works works_;
  StepTables tables_;
  ComputeTimes times_;
  DataParallelRule rule_;
  std::map<std::uint32_t, Seconds> computes_; ///< by block, forward and back
  std::map<std::uint32_t, std::vector<Segment>> backward_;
  std::map<std::pair<std::uint32_t, DeviceId>, Seconds> collectives_;
};

/// The time from the first forward pass of a stage to its last backward pass under 1F1B, at least.
/// With w stages after it, the stage does the forward passes 0 to w, then the backward pass i
/// before the forward pass w + 1 + i. Its k-th successor does the backward pass i + k + 1 after the
/// forward pass w + 1 + i. So the backward passes i and i + k + 1 of the stage are a round trip to
/// that successor apart: all passes between and 2 k sends. The backward pass 0 ends after a round
/// trip to the last stage.
Seconds round_trips(const std::vector<StageTimes>& stages, std::size_t first,
                    double micro_batches) {
  const auto warm_up = static_cast<double>(stages.size() - 1 - first);
  const double steady = std::max(0.0, micro_batches - warm_up - 1.0);
  Seconds trip = stages[first].pass();
  Seconds longest = (micro_batches - 1.0) * trip;
  for (std::size_t last = first + 1; last < stages.size(); ++last) {
    trip += 2.0 * stages[last - 1].send + stages[last].pass();
    const auto apart = static_cast<double>(last - first + 1);
    const double trips = std::ceil(steady / apart);
    const double after = micro_batches - 1.0 - trips * apart;
    longest = std::max(longest, trips * trip + after * stages[first].backward);
  }
  return trip + longest;
}

} // namespace

Seconds compute_bound(const Workload& workload, const Costs& costs) {
  StageBounds bounds(workload, costs.compute, false);
  Seconds busiest;
  for (std::int64_t stage = 0; stage < workload.plan.pipeline; ++stage)
    busiest = std::max(busiest, bounds.computes(stage));
  return busiest * static_cast<double>(workload.plan.micro_batches(workload.training));
}

Seconds step_time_bound(const Workload& workload, const Topology& topology, const Costs& costs) {
  // A group's own loads are a bound wherever its ranks sit.
  const ReplayLayout layout{one_rank_per_stage(workload.plan), topology.regular()
                                                                   ? LoadModel::representative
                                                                   : LoadModel::group_links};
  TrafficPlanner planner(layout, workload.plan, topology, costs.network, &costs.compute);
  StageBounds bounds(workload, costs.compute, stages_sit_alike(workload.plan, topology));
  std::vector<StageTimes> stages;
  for (std::int64_t stage = 0; stage < workload.plan.pipeline; ++stage)
    stages.push_back(bounds.stage(stage, planner));
  const auto micro_batches = static_cast<double>(workload.plan.micro_batches(workload.training));
  Seconds filled;  // the first micro-batch on its way to this stage
  Seconds drained; // the last one on its way back to the first stage
  Seconds bound;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    const StageTimes& now = stages[stage];
    const Seconds first = std::max(filled + now.forward, now.gather);
    const Seconds after = std::max(now.end, drained + stages.front().end);
    bound = std::max(bound, filled + round_trips(stages, stage, micro_batches) + after);
    bound = std::max(bound, first + (micro_batches - 1.0) * now.pass() +
                                std::max(now.backward + after, now.reduce + now.end));
    filled += now.forward + now.send;
    drained += now.backward + now.send;
  }
  return bound;
}

} // namespace moesim
