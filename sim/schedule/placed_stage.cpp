#include "sim/schedule/placed_stage.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/host_work.hpp"
#include "sim/schedule/layer_work.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace moesim {

namespace {

/// Whole backward passes that run beside a forward pass delay gradients of weights.
bool delays_weight_gradients(const ParallelPlan& plan) {
  return plan.schedule == Schedule::dual_pipe && plan.overlap_batches;
}

/// The segments of a pass of a virtual stage.
const std::vector<Segment>& segments_of(const StageWork& work, const PassKey& key) {
  const bool edge = key.place == PassKey::Place::edge;
  if (key.delayed)
    return edge ? work.last_backward_delayed : work.backward_delayed;
  switch (key.pass) {
  case Pass::forward:
    return edge ? work.first_forward : work.forward;
  case Pass::backward:
    return edge ? work.last_backward : work.backward;
  case Pass::backward_input:
    return work.backward_input;
  case Pass::backward_weight:
    break;
  }
  return edge ? work.last_backward_weight : work.backward_weight;
}

/// The order of a stage, with the key of each pass. The first pass of each chunk and the last that
/// makes gradients of weights are those that data-parallel communication starts from.
std::vector<std::pair<ChunkPass, PassKey>>
keyed_passes(const Workload& workload, const ExpertLoads& loads, std::int64_t number) {
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
  std::vector<std::pair<ChunkPass, PassKey>> keyed;
  keyed.reserve(order.size());
  for (std::size_t place = 0; place < order.size(); ++place) {
    const ChunkPass& pass = order[place];
    const bool beside = overlaps && (reducing || place < gathered || beside_edge(place));
    keyed.push_back({pass,
                     {pass.chunk, pass.micro_batch % loads.micro_batches(),
                      is_edge(place) ? PassKey::Place::edge
                      : beside       ? PassKey::Place::beside
                                     : PassKey::Place::regular,
                      pass.pass, delays_weight_gradients(workload.plan) && pass.beside_previous}});
    reducing |= reduces(place);
  }
  return keyed;
}

/// Puts works into the lists of a graph, equal ones once.
class WorkList {
public:
  explicit WorkList(StepGraph& graph) : graph_(graph) {}
  std::uint32_t add(const ComputeWork& work) { return add(work, graph_.computes, computes_); }
  std::uint32_t add(const CollectiveWork& work) {
    return add(work, graph_.collectives, collectives_);
  }

private:
  using Places = std::unordered_map<std::string, std::vector<std::uint32_t>>; ///< by name

  template <typename Work>
  static std::uint32_t add(const Work& work, std::vector<Work>& works, Places& places) {
    std::vector<std::uint32_t>& known = places[work.name];
    for (const std::uint32_t place : known)
      if (works[place] == work)
        return place;
    known.push_back(static_cast<std::uint32_t>(works.size()));
    works.push_back(work);
    return known.back();
  }

  StepGraph& graph_;
  Places computes_;
  Places collectives_;
};

/// Fills one stage.
class StagePlacer {
public:
  StagePlacer(StepGraph& graph, const Workload& workload, const DeviceLayout& layout,
              const ExpertLoads& loads, std::int64_t number)
      : graph_(graph), works_(graph), workload_(workload), layout_(layout), loads_(loads),
        number_(number) {}

  PlacedStage place() {
    for (std::uint32_t device = 0; device < graph_.devices.size(); ++device)
      if (graph_.devices[device].stage == number_)
        stage_.devices.push_back(DeviceId(device));
    place_groups();
    place_passes();
    stage_.start = place_segments(step_start_work(workload_, number_), contention_data_parallel);
    stage_.end = place_segments(step_end_work(workload_, number_, loads_), 0);
    return std::move(stage_);
  }

private:
  void place_groups() {
    for (const GroupKind kind : group_kinds) {
      std::set<DeviceId> placed;
      for (const DeviceId device : stage_.devices) {
        if (placed.contains(device))
          continue;
        DeviceGroup group{kind, {}};
        for (const RankId rank : group_of(workload_.plan, kind, graph_.devices[index(device)].rank))
          if (const DeviceId member = layout_.device_of(rank); placed.insert(member).second)
            group.devices.push_back(member);
        stage_.groups[kind].push_back(static_cast<std::uint32_t>(graph_.groups.size()));
        graph_.groups.push_back(std::move(group));
      }
    }
  }

  /// Works are made for one chunk and micro-batch after the other: they are large.
  void place_passes() {
    const auto keyed = keyed_passes(workload_, loads_, number_);
    for (const auto& [pass, key] : keyed)
      stage_.passes.try_emplace(key);
    std::optional<std::pair<std::int64_t, std::int64_t>> made; // chunk and micro-batch
    for (auto& [key, placed] : stage_.passes) {
      if (const std::pair wanted(key.chunk, key.micro_batch); made != wanted) {
        make_work(key.chunk, key.micro_batch);
        made = wanted;
      }
      fill_pass(placed, key);
    }
    for (const auto& [pass, key] : keyed)
      stage_.order.push_back({pass, &stage_.passes.at(key)});
  }

  void make_work(std::int64_t chunk, std::int64_t micro_batch) {
    const std::int64_t virtual_stage = workload_.plan.virtual_stage(number_, chunk);
    work_ = stage_work(workload_, virtual_stage, {&loads_, micro_batch, std::nullopt});
    ranks_.clear();
    if (!workload_.routing.even() && stage_.devices.size() > 1)
      for (std::int64_t rank = 0; rank < workload_.plan.expert; ++rank)
        ranks_.push_back(stage_work(workload_, virtual_stage, {&loads_, micro_batch, rank}));
  }

  /// A compute of a pass, with what each rank of its expert-parallel group does instead, where that
  /// differs.
  ComputeWork for_all_ranks(const ComputeWork& compute, const PassKey& key, std::size_t place) {
    ComputeWork work = compute;
    bool differs = false;
    for (const StageWork& rank : ranks_) {
      work.by_expert_rank.push_back(
          std::get<ComputeWork>(segments_of(rank, key)[place].work).kernels);
      differs |= work.by_expert_rank.back() != work.kernels;
    }
    if (!differs)
      work.by_expert_rank.clear();
    return work;
  }

  std::vector<PlacedSegment> place_segments(std::vector<Segment> segments,
                                            std::uint8_t contention) {
    std::vector<PlacedSegment> placed;
    for (Segment& segment : segments) {
      PlacedSegment place{OpKind::compute,
                          0,
                          segment.beside_previous,
                          segment.detached,
                          segment.mark,
                          segment.awaits,
                          segment.joins_all,
                          segment.after_result};
      if (const auto* compute = std::get_if<ComputeWork>(&segment.work)) {
        place.work = works_.add(*compute);
      } else {
        place.kind = OpKind::collective;
        auto& collective = std::get<CollectiveWork>(segment.work);
        collective.contention = contention;
        place.work = works_.add(collective);
      }
      placed.push_back(place);
    }
    return placed;
  }

  void fill_pass(PlacedPass& placed, const PassKey& key) {
    std::vector<Segment> segments = segments_of(work_, key);
    INVARIANT(!segments.empty(), "stage {} has a pass without work", number_);
    const std::vector<HostPortion> portions = host_portions(segments, workload_.graphs);
    for (std::size_t place = 0; place < segments.size() && !ranks_.empty(); ++place)
      if (auto* compute = std::get_if<ComputeWork>(&segments[place].work))
        *compute = for_all_ranks(*compute, key, place);
    const bool data_parallel =
        key.place != PassKey::Place::regular || data_parallel_rule(workload_).reduces_every_pass;
    placed =
        place_segments(std::move(segments), data_parallel ? contention_data_parallel
                                            : workload_.plan.overlap_batches ? contention_pairs
                                                                             : std::uint8_t{0});
    for (auto portion = portions.rbegin(); portion != portions.rend(); ++portion) {
      const PlacedSegment host{.work = works_.add({"Launch", {}, std::nullopt, portion->work}),
                               .host = true,
                               .synchronises = portion->synchronises};
      placed.insert(placed.begin() + static_cast<std::ptrdiff_t>(portion->end), host);
    }
  }

  StepGraph& graph_;
  WorkList works_;
  const Workload& workload_;
  const DeviceLayout& layout_;
  const ExpertLoads& loads_;
  std::int64_t number_;
  StageWork work_;               ///< of the chunk and micro-batch that is placed
  std::vector<StageWork> ranks_; ///< the same, of each rank, where ranks differ
  PlacedStage stage_;
};

} // namespace

PlacedStage place_stage(StepGraph& graph, const Workload& workload, const DeviceLayout& layout,
                        const ExpertLoads& loads, std::int64_t number) {
  return StagePlacer(graph, workload, layout, loads, number).place();
}

} // namespace moesim
