#pragma once

#include "sim/cost/costs.hpp"
#include "sim/replay/compute_times.hpp"
#include "sim/schedule/build_step_graph.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/paired_passes.hpp"
#include "sim/schedule/pipeline_times.hpp"
#include "sim/schedule/placed_stage.hpp"
#include "sim/search/lone_communications.hpp"

#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

namespace moesim {

/// Times of the passes of a plan, from the blocks of its model, each timed once.
///
/// More than 15 methods: one times each kind of work of a stage, as all of them share the blocks
/// and works of the plan.
class PassBounds {
public:
  /// `communications`: null for the computes alone.
  PassBounds(Workload workload, const ComputeCost& cost, LoneCommunications* communications);

  /// Another plan of the same shape: its virtual stages, schedule, overlap of batches, layers of
  /// each stage and ZeRO stage may differ, and without communications its pipeline degree.
  void set_plan(const ParallelPlan& plan);
  const Workload& workload() const { return workload_; }

  /// The share of a stage in the work of the step, for stages of equal work: a lower bound. Passes
  /// run one after the other; where the plan pairs passes, the busiest resource counts.
  Seconds mean_stage();
  PipelineTimes pipeline();
  /// The work of a stage after its last pass.
  Seconds end(std::int64_t stage);
  /// The last pass of a stage that makes gradients of weights of its first chunk, with the
  /// reduction of these gradients beside it and after it.
  Seconds last_pass(std::int64_t stage, Pass pass);
  /// The longest use of a resource of a stage by its passes and by the data-parallel communication
  /// beside them.
  Seconds busiest_resource(std::int64_t stage, const std::vector<PassSpan>& passes);

private:
  /// Times of a block, or of a chunk.
  struct BlockTimes {
    PerPass<WorkTimes> passes; ///< a backward pass with a repeated forward pass before it
    std::vector<std::uint32_t> blocks = {}; ///< of a chunk, in forward order
  };

  WorkTimes micro_batch(bool whole);
  bool same_on_all_stages() const;
  std::vector<std::vector<double>> pairs(std::int64_t stage);
  double pair(std::int64_t stage, std::int64_t forward_chunk, std::int64_t backward_chunk);
  double side_by_side(const std::vector<PairedSegment>& merged, std::int64_t stage);
  Seconds time_of(const Segment& segment, std::int64_t stage);
  const BlockTimes& chunk_times(std::int64_t stage, std::int64_t chunk);
  const BlockTimes& block_times(std::uint32_t number, std::int64_t stage);
  std::vector<Segment> backward_of(std::uint32_t number, Gradients gradients);
  const WorkTimes& times_of(const Segment& segment, std::int64_t stage);
  WorkTimes sequence(const std::vector<Segment>& segments, std::int64_t stage);
  WorkTimes detached(const std::vector<Segment>& segments, std::int64_t stage);
  WorkTimes gathering(std::int64_t stage, std::int64_t chunk);
  WorkTimes reduction(std::int64_t stage, std::int64_t chunk);
  std::vector<std::vector<double>> sends();

  Workload workload_;
  LoneCommunications* communications_;
  ExpertLoads loads_;
  Works works_;
  StepTables tables_;
  ComputeTimes times_;
  DataParallelRule rule_;
  std::map<std::pair<std::uint32_t, std::int64_t>, BlockTimes> blocks_;
  std::map<std::pair<std::int64_t, std::int64_t>, BlockTimes> chunks_; ///< by stage and chunk
  std::map<std::uint32_t, WorkTimes> computes_;
  std::map<bool, WorkTimes> micro_batch_; ///< as micro_batch
  /// Pairs of passes by stage, by whether gradients of weights are delayed, and by the blocks of
  /// both passes.
  std::map<std::tuple<std::int64_t, bool, std::vector<std::uint32_t>, std::vector<std::uint32_t>>,
           double>
      pairs_;
};

} // namespace moesim
