#include "sim/schedule/placed_stage.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/host_work.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace moesim {

namespace {

/// Whether backward passes beside a forward pass delay their gradients of weights.
bool delays_weight_gradients(const ParallelPlan& plan) {
  return plan.schedule.delays_weight_gradients && plan.overlap_batches;
}

/// The segments of a pass.
std::vector<Segment> segments_of(ChunkPasses& passes, const PassKey& key) {
  switch (key.pass) {
  case Pass::forward:
    return passes.forward(key.position);
  case Pass::backward:
    return passes.backward(Gradients::all, key.position, key.delayed);
  case Pass::backward_input:
    return passes.backward(Gradients::inputs, key.position);
  case Pass::backward_weight:
    break;
  }
  return passes.backward(Gradients::weights, key.position);
}

/// The order of a stage, with the key of each pass. Data-parallel communication starts at the first
/// pass of each chunk, and at the last pass that makes its gradients of weights.
std::vector<std::pair<ChunkPass, PassKey>>
keyed_passes(const Workload& workload, const ExpertLoads& loads, std::int64_t number) {
  const StageOrder order =
      pipeline_order(workload.plan, number, workload.plan.micro_batches(workload.training));
  std::map<std::int64_t, std::size_t> first; // first pass of a chunk
  std::map<std::int64_t, std::size_t> last;  // last pass of a chunk that makes gradients of weights
  for (std::size_t i = 0; i < order.size(); ++i) {
    first.try_emplace(order[i].chunk, i);
    if (order[i].pass == Pass::backward || order[i].pass == Pass::backward_weight)
      last[order[i].chunk] = i;
  }
  const bool overlaps = data_parallel_rule(workload).overlaps;
  std::vector<std::pair<ChunkPass, PassKey>> keyed;
  keyed.reserve(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ChunkPass& pass = order[i];
    const bool edge = overlaps && (i == first.at(pass.chunk) || i == last.at(pass.chunk));
    keyed.push_back({pass,
                     {pass.chunk, pass.micro_batch % loads.micro_batches(),
                      edge ? PassPosition::edge : PassPosition::regular, pass.pass,
                      delays_weight_gradients(workload.plan) && pass.beside_previous}});
  }
  return keyed;
}

/// Fills one stage.
class StagePlacer {
public:
  StagePlacer(StepGraph& graph, StepTables& tables, const Workload& workload,
              const DeviceLayout& layout, const ExpertLoads& loads, std::int64_t number)
      : graph_(graph), tables_(tables), workload_(workload), layout_(layout), loads_(loads),
        number_(number) {}

  PlacedStage place() {
    for (std::uint32_t device = 0; device < graph_.devices.size(); ++device)
      if (graph_.devices[device].stage == number_)
        stage_.devices.push_back(DeviceId(device));
    place_groups();
    place_passes();
    stage_.start = step_start_work(workload_, number_, tables_.works);
    stage_.end = step_end_work(workload_, number_, loads_, tables_.works);
    return std::move(stage_);
  }

private:
  void place_groups() {
    for (const GroupKind kind : enumerators<GroupKind>) {
      std::set<DeviceId> placed;
      for (const DeviceId device : stage_.devices) {
        if (placed.contains(device))
          continue;
        DeviceGroup group{kind, {}};
        for (const RankId rank : group_of(workload_.plan, kind, graph_.devices[index(device)].rank))
          if (const DeviceId member = layout_.device_of(rank); placed.insert(member).second)
            group.devices.push_back(member);
        stage_.groups[index(kind)].push_back(static_cast<std::uint32_t>(graph_.groups.size()));
        graph_.groups.push_back(std::move(group));
      }
    }
  }

  /// Makes the passes of one chunk and micro-batch after the other.
  void place_passes() {
    const auto keyed = keyed_passes(workload_, loads_, number_);
    for (const auto& [pass, key] : keyed)
      stage_.passes.try_emplace(key);
    std::optional<std::pair<std::int64_t, std::int64_t>> made; // chunk and micro-batch
    for (auto& [key, placed] : stage_.passes) {
      if (const std::pair wanted(key.chunk, key.micro_batch); made != wanted) {
        make_chunk(key.chunk, key.micro_batch);
        made = wanted;
      }
      placed = make_pass(key);
    }
    for (const auto& [pass, key] : keyed)
      stage_.order.push_back({pass, &stage_.passes.at(key)});
  }

  ChunkPasses passes_of(std::int64_t chunk, const LoadChoice& choice) {
    return {workload_,      workload_.plan.virtual_stage(number_, chunk),
            choice,         tables_.works,
            tables_.blocks, tables_.gradients};
  }

  void make_chunk(std::int64_t chunk, std::int64_t micro_batch) {
    chunk_.clear();
    chunk_.push_back(passes_of(chunk, {&loads_, micro_batch, std::nullopt}));
    ranks_.clear();
    if (!workload_.routing.even() && stage_.devices.size() > 1)
      for (std::int64_t rank = 0; rank < workload_.plan.expert; ++rank)
        ranks_.push_back(passes_of(chunk, {&loads_, micro_batch, rank}));
  }

  /// Gives the computes of a pass the kernels of each rank of the expert-parallel group, if they
  /// differ.
  void distinguish_ranks(std::vector<Segment>& segments, const PassKey& key) {
    std::vector<std::vector<Segment>> of_ranks;
    for (ChunkPasses& rank : ranks_)
      of_ranks.push_back(segments_of(rank, key));
    for (std::size_t segment = 0; segment < segments.size(); ++segment) {
      if (segments[segment].kind != OpKind::compute)
        continue;
      ComputeWork work = graph_.works.computes[segments[segment].work];
      bool differs = false;
      for (const std::vector<Segment>& rank : of_ranks) {
        work.by_expert_rank.push_back(graph_.works.computes[rank[segment].work].kernels);
        differs |= work.by_expert_rank.back() != work.kernels;
      }
      if (differs)
        segments[segment].work = tables_.works.add(std::move(work));
    }
  }

  std::vector<Segment> make_pass(const PassKey& key) {
    std::vector<Segment> segments = segments_of(chunk_.front(), key);
    INVARIANT(!segments.empty(), "stage {} has a pass without work", number_);
    const std::vector<HostPortion> portions = host_portions(segments, graph_.works, workload_);
    if (!ranks_.empty())
      distinguish_ranks(segments, key);
    for (auto portion = portions.rbegin(); portion != portions.rend(); ++portion) {
      const Segment host{.work = tables_.works.add(ComputeWork{{}, std::nullopt, portion->work}),
                         .label = tables_.works.add(Label::of("Launch")),
                         .host = true,
                         .synchronises = portion->synchronises};
      segments.insert(segments.begin() + static_cast<std::ptrdiff_t>(portion->end), host);
    }
    return segments;
  }

  StepGraph& graph_;
  StepTables& tables_;
  const Workload& workload_;
  const DeviceLayout& layout_;
  const ExpertLoads& loads_;
  std::int64_t number_;
  std::vector<ChunkPasses> chunk_; ///< the current chunk and micro-batch; one element
  std::vector<ChunkPasses> ranks_; ///< the same for each rank, if ranks differ
  PlacedStage stage_;
};

} // namespace

PlacedStage place_stage(StepGraph& graph, StepTables& tables, const Workload& workload,
                        const DeviceLayout& layout, const ExpertLoads& loads, std::int64_t number) {
  return StagePlacer(graph, tables, workload, layout, loads, number).place();
}

} // namespace moesim
