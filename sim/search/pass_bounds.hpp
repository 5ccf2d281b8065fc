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

  /// The passes of the busiest stage, with the way of the first micro-batch to it and that of the
  /// last one back: a lower bound that takes less time to find. Passes run one after the other;
  /// where the plan pairs passes, the busiest resource counts.
  Seconds busiest_stage();
  PipelineTimes pipeline();
  /// The work of a stage after its last pass.
  Seconds end(std::int64_t stage);
  /// The end of the passes of a stage and of the data-parallel communication beside them.
  Seconds passes_end(std::int64_t stage, const std::vector<PassSpan>& passes);

private:
  /// Times of a block, or of a chunk.
  struct BlockTimes {
    PerPass<WorkTimes> passes; ///< a backward pass with a repeated forward pass before it
    std::vector<std::uint32_t> blocks = {}; ///< of a chunk, in forward order
    PerPass<double> last_layer = {};        ///< of a chunk: its last layer and what is behind it
  };
  /// The reduction of the gradients of a chunk: of all layers but one, and of that one.
  struct Reduction {
    WorkTimes others;
    WorkTimes last;
  };

  std::vector<std::vector<PairTimes>> pairs(std::int64_t stage);
  PairTimes pair(std::int64_t stage, std::int64_t forward_chunk, std::int64_t backward_chunk);
  void side_by_side(const std::vector<PairedSegment>& merged, std::int64_t stage,
                    bool from_backward, PairTimes& times);
  std::vector<bool> reducing_passes(const std::vector<PassSpan>& passes) const;
  Seconds busiest_resource(std::int64_t stage, const std::vector<PassSpan>& passes,
                           const std::vector<bool>& reducing);
  Seconds time_of(const Segment& segment, std::int64_t stage);
  const BlockTimes& chunk_times(std::int64_t stage, std::int64_t chunk);
  const BlockTimes& block_times(std::uint32_t number, std::int64_t stage);
  std::vector<Segment> backward_of(std::uint32_t number, Gradients gradients);
  const WorkTimes& times_of(const Segment& segment, std::int64_t stage);
  WorkTimes sequence(const std::vector<Segment>& segments, std::int64_t stage);
  WorkTimes detached(const std::vector<Segment>& segments, std::int64_t stage);
  const WorkTimes& gathering(std::int64_t stage, std::int64_t chunk);
  const Reduction& reduction(std::int64_t stage, std::int64_t chunk);
  Seconds last_layer(std::int64_t stage, const ChunkPass& pass);
  void add_pass(std::int64_t stage, std::int64_t chunk, Pass pass, double count, WorkTimes& sum);
  std::vector<std::vector<double>> sends();

  Workload workload_;
  LoneCommunications* communications_;
  ExpertLoads loads_;
  Works works_;
  StepTables tables_;
  ComputeTimes times_;
  DataParallelRule rule_;
  std::map<std::pair<std::uint32_t, std::int64_t>, BlockTimes> blocks_;
  std::map<std::pair<std::int64_t, std::int64_t>, BlockTimes> chunks_;    ///< by stage and chunk
  std::map<std::pair<std::int64_t, std::int64_t>, WorkTimes> gatherings_; ///< by stage and chunk
  std::map<std::pair<std::int64_t, std::int64_t>, Reduction> reductions_; ///< by stage and chunk
  std::map<std::uint32_t, WorkTimes> computes_;
  /// Pairs of passes by stage, by whether gradients of weights are delayed, and by the blocks of
  /// both passes.
  std::map<std::tuple<std::int64_t, bool, std::vector<std::uint32_t>, std::vector<std::uint32_t>>,
           PairTimes>
      pairs_;
};

} // namespace moesim
