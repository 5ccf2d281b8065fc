#include "sim/schedule/placed_stage.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/host_work.hpp"
#include "sim/schedule/layer_work.hpp"

#include <algorithm>
#include <set>

namespace moesim {

namespace {

/// Whole backward passes that run beside a forward pass delay gradients of weights.
bool delays_weight_gradients(const ParallelPlan& plan) {
  return plan.schedule == Schedule::dual_pipe && plan.overlap_batches;
}

using Passes = std::vector<Segment> StageWork::*;
constexpr Passes all_passes[] = {&StageWork::forward,
                                 &StageWork::backward,
                                 &StageWork::backward_input,
                                 &StageWork::backward_weight,
                                 &StageWork::backward_delayed,
                                 &StageWork::first_forward,
                                 &StageWork::last_backward,
                                 &StageWork::last_backward_weight,
                                 &StageWork::last_backward_delayed};

/// Adds to the computes of a stage what each rank of its expert-parallel group does instead, where
/// that differs.
void add_expert_ranks(StageWork& work, const Workload& workload, std::int64_t virtual_stage) {
  std::vector<StageWork> ranks;
  for (std::int64_t rank = 0; rank < workload.plan.expert; ++rank)
    ranks.push_back(stage_work(workload, virtual_stage, rank));
  for (const Passes passes : all_passes)
    for (std::size_t place = 0; place < (work.*passes).size(); ++place) {
      auto* compute = std::get_if<ComputeWork>(&(work.*passes)[place].work);
      if (!compute)
        continue;
      bool differs = false;
      for (const StageWork& rank : ranks) {
        compute->by_expert_rank.push_back(
            std::get<ComputeWork>((rank.*passes)[place].work).kernels);
        differs |= compute->by_expert_rank.back() != compute->kernels;
      }
      if (!differs)
        compute->by_expert_rank.clear();
    }
}

/// Fills one stage.
class StagePlacer {
public:
  StagePlacer(StepGraph& graph, const Workload& workload, std::int64_t number)
      : graph_(graph), workload_(workload), number_(number) {}

  PlacedStage place() {
    for (std::uint32_t device = 0; device < graph_.devices.size(); ++device)
      if (graph_.devices[device].stage == number_)
        stage_.devices.push_back(DeviceId(device));
    place_groups();
    for (std::int64_t chunk = 0; chunk < workload_.plan.chunks(); ++chunk)
      place_chunk(chunk);
    stage_.start = place_segments(step_start_work(workload_, number_), contention_data_parallel);
    stage_.end = place_segments(step_end_work(workload_, number_), 0);
    return std::move(stage_);
  }

private:
  void place_groups() {
    std::map<RankId, DeviceId> device_of;
    for (const DeviceId device : stage_.devices)
      device_of[graph_.devices[index(device)].rank] = device;
    for (const GroupKind kind : group_kinds) {
      std::set<DeviceId> placed;
      for (const DeviceId device : stage_.devices) {
        if (placed.contains(device))
          continue;
        DeviceGroup group{kind, {}};
        for (const RankId rank : group_of(workload_.plan, kind, graph_.devices[index(device)].rank))
          if (const auto member = device_of.find(rank); member != device_of.end())
            group.devices.push_back(member->second);
        placed.insert(group.devices.begin(), group.devices.end());
        stage_.groups[kind].push_back(static_cast<std::uint32_t>(graph_.groups.size()));
        graph_.groups.push_back(std::move(group));
      }
    }
  }

  std::vector<PlacedSegment> place_segments(const std::vector<Segment>& segments,
                                            std::uint8_t contention) {
    std::vector<PlacedSegment> placed;
    for (const Segment& segment : segments) {
      PlacedSegment place{OpKind::compute,
                          0,
                          segment.beside_previous,
                          segment.detached,
                          segment.mark,
                          segment.awaits,
                          segment.joins_all,
                          segment.after_result};
      if (const auto* compute = std::get_if<ComputeWork>(&segment.work)) {
        place.work = static_cast<std::uint32_t>(graph_.computes.size());
        graph_.computes.push_back(*compute);
      } else {
        place.kind = OpKind::collective;
        place.work = static_cast<std::uint32_t>(graph_.collectives.size());
        graph_.collectives.push_back(std::get<CollectiveWork>(segment.work));
        graph_.collectives.back().contention = contention;
      }
      placed.push_back(place);
    }
    return placed;
  }

  void place_pass(ChunkWork& into, Pass pass, const std::vector<Segment>& segments,
                  std::uint8_t contention) {
    if (has_pass(workload_.plan.schedule, pass))
      fill_pass(into[static_cast<std::size_t>(pass)], segments, contention);
  }

  void fill_pass(PlacedPass& placed, const std::vector<Segment>& segments,
                 std::uint8_t contention) {
    INVARIANT(!segments.empty(), "stage {} has a pass without work", number_);
    placed = place_segments(segments, contention);
    const std::vector<HostPortion> portions = host_portions(segments, workload_.graphs);
    for (auto portion = portions.rbegin(); portion != portions.rend(); ++portion) {
      PlacedSegment host{.work = static_cast<std::uint32_t>(graph_.computes.size()),
                         .host = true,
                         .synchronises = portion->synchronises};
      graph_.computes.push_back({"Launch", {}, std::nullopt, portion->launches});
      placed.insert(placed.begin() + static_cast<std::ptrdiff_t>(portion->end), host);
    }
  }

  void place_chunk(std::int64_t chunk) {
    const std::int64_t virtual_stage = workload_.plan.virtual_stage(number_, chunk);
    StageWork work = stage_work(workload_, virtual_stage);
    const bool every_rank =
        static_cast<std::int64_t>(stage_.devices.size()) == workload_.plan.stage_ranks();
    if (!workload_.routing.even() && every_rank)
      add_expert_ranks(work, workload_, virtual_stage);
    const DataParallelRule rule = data_parallel_rule(workload_);
    const auto place_all = [&](ChunkWork& into, std::uint8_t contention) {
      place_pass(into, Pass::forward, work.forward, contention);
      place_pass(into, Pass::backward, work.backward, contention);
      place_pass(into, Pass::backward_input, work.backward_input, contention);
      place_pass(into, Pass::backward_weight, work.backward_weight, contention);
      if (delays_weight_gradients(workload_.plan))
        fill_pass(into[delayed_backward], work.backward_delayed, contention);
    };
    ChunkPasses passes;
    place_all(passes.regular, rule.reduces_every_pass          ? contention_data_parallel
                              : workload_.plan.overlap_batches ? contention_pairs
                                                               : std::uint8_t{0});
    if (rule.overlaps) {
      place_all(passes.beside, contention_data_parallel);
      place_pass(passes.edge, Pass::forward, work.first_forward, contention_data_parallel);
      place_pass(passes.edge, Pass::backward, work.last_backward, contention_data_parallel);
      place_pass(passes.edge, Pass::backward_weight, work.last_backward_weight,
                 contention_data_parallel);
      if (delays_weight_gradients(workload_.plan))
        fill_pass(passes.edge[delayed_backward], work.last_backward_delayed,
                  contention_data_parallel);
    }
    stage_.chunks.push_back(std::move(passes));
  }

  StepGraph& graph_;
  const Workload& workload_;
  std::int64_t number_;
  PlacedStage stage_;
};

} // namespace

PlacedStage place_stage(StepGraph& graph, const Workload& workload, std::int64_t number) {
  return StagePlacer(graph, workload, number).place();
}

std::vector<OrderedPass> ordered_passes(const PlacedStage& stage, const Workload& workload,
                                        std::int64_t number) {
  const StageOrder order =
      pipeline_order(workload.plan, number, workload.plan.micro_batches(workload.training));
  std::map<std::int64_t, std::size_t> first; // pass of a chunk
  std::map<std::int64_t, std::size_t> last;  // that makes gradients of weights
  for (std::size_t place = 0; place < order.size(); ++place) {
    first.try_emplace(order[place].chunk, place);
    if (order[place].pass == Pass::backward || order[place].pass == Pass::backward_weight)
      last[order[place].chunk] = place;
  }
  std::size_t gathered = 0; // by the first pass of the last chunk
  for (const auto& [chunk, place] : first)
    gathered = std::max(gathered, place);
  const bool overlaps = data_parallel_rule(workload).overlaps;
  const auto reduces = [&](std::size_t place) {
    return overlaps && place == last.at(order[place].chunk);
  };
  const auto is_edge = [&](std::size_t place) {
    return reduces(place) || (overlaps && place == first.at(order[place].chunk));
  };
  /// The other pass of its pair is one that communication starts from.
  const auto beside_edge = [&](std::size_t place) {
    if (order[place].beside_previous)
      return is_edge(place - 1);
    return place + 1 < order.size() && order[place + 1].beside_previous && is_edge(place + 1);
  };
  bool reducing = false;
  std::vector<OrderedPass> passes;
  passes.reserve(order.size());
  for (std::size_t place = 0; place < order.size(); ++place) {
    const ChunkPass& pass = order[place];
    const ChunkPasses& chunk = stage.chunks[static_cast<std::size_t>(pass.chunk)];
    const bool beside = overlaps && (reducing || place < gathered || beside_edge(place));
    const ChunkWork& work = is_edge(place) ? chunk.edge : beside ? chunk.beside : chunk.regular;
    const bool delayed = delays_weight_gradients(workload.plan) && pass.beside_previous;
    passes.push_back(
        {pass, &work[delayed ? delayed_backward : static_cast<std::size_t>(pass.pass)]});
    reducing |= reduces(place);
  }
  return passes;
}

} // namespace moesim
