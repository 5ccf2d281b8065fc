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

/// The longest use of a resource by two works together, in seconds.
double longest(const WorkTimes& one, const WorkTimes& other);

/// Times of the work of the stages of a plan, from the blocks of its model, each timed once, with
/// every communication alone on its links.
/// More than 15 methods: a reader for each part of a stage and the steps of timing a pass, which
/// share the times of blocks.
class StageTimes {
public:
  /// Times of a block; a backward pass with a repeated forward pass before it.
  using BlockTimes = PerPass<WorkTimes>;
  /// Times of the layers of one chunk of the model.
  struct ChunkTimes {
    BlockTimes passes;
    PerPass<double> last_layer = {}; ///< its last layer and what is behind it
  };
  /// The reduction of the gradients of a chunk: of all layers but one, and of that one.
  struct Reduction {
    WorkTimes others;
    WorkTimes last;
  };

  /// `communications`: null for the computes alone.
  StageTimes(Workload workload, const ComputeCost& cost, LoneCommunications* communications);

  /// As PassBounds::set_plan.
  void set_plan(const ParallelPlan& plan);
  const Workload& workload() const { return workload_; }

  const ChunkTimes& chunk(std::int64_t stage, std::int64_t chunk);
  /// A forward pass of one chunk and a backward pass of one, side by side.
  PairTimes pair(std::int64_t stage, std::int64_t forward_chunk, std::int64_t backward_chunk);
  /// The gathering of the weights of a chunk, once.
  const WorkTimes& gathering(std::int64_t stage, std::int64_t chunk);
  /// The reduction of the gradients of a chunk, once.
  const Reduction& reduction(std::int64_t stage, std::int64_t chunk);
  /// The work of a stage after its last pass.
  Seconds end(std::int64_t stage);

private:
  /// The blocks of a chunk in forward order, each with whether it starts a layer.
  using ChunkBlocks = std::vector<std::pair<std::uint32_t, bool>>;
  /// The members of a plan that the blocks of a chunk depend on: the stage whose communications
  /// are its own, its first layer, its layers, whether it has the embedding, whether it has the
  /// head.
  using ChunkKey = std::tuple<std::int64_t, std::int64_t, std::int64_t, bool, bool>;

  const ChunkTimes& chunk_times(std::int64_t virtual_stage, std::int64_t stage);
  ChunkTimes sum_of(const ChunkBlocks& blocks, std::int64_t stage);
  const std::vector<Segment>& paired_pass(std::int64_t stage, std::int64_t chunk_number,
                                          bool backward);
  void side_by_side(const std::vector<PairedSegment>& merged, std::int64_t stage,
                    bool from_backward, PairTimes& times);
  Seconds time_of(const Segment& segment, std::int64_t stage);
  const BlockTimes& block_times(std::uint32_t number, std::int64_t stage);
  std::vector<Segment> backward_of(std::uint32_t number, Gradients gradients);
  const WorkTimes& times_of(const Segment& segment, std::int64_t stage);
  WorkTimes sequence(const std::vector<Segment>& segments, std::int64_t stage);
  WorkTimes detached(const std::vector<Segment>& segments, std::int64_t stage);

  Workload workload_;
  LoneCommunications* communications_;
  ExpertLoads loads_;
  Works works_;
  StepTables tables_;
  ComputeTimes times_;
  /// By block, compute beside a communication or collective, and by stage.
  std::map<std::pair<std::uint32_t, std::int64_t>, BlockTimes> blocks_;
  std::map<std::pair<std::uint32_t, std::int64_t>, Seconds> besides_;
  std::map<std::pair<std::uint32_t, std::int64_t>, const WorkTimes*> collectives_;
  std::vector<const ChunkTimes*> chunks_; ///< by stage, then chunk; null until it is timed
  std::map<ChunkKey, const ChunkTimes*> layers_;
  std::map<std::pair<std::int64_t, ChunkBlocks>, ChunkTimes> sums_;       ///< by stage and blocks
  std::map<std::pair<std::int64_t, std::int64_t>, WorkTimes> gatherings_; ///< by stage and chunk
  std::map<std::pair<std::int64_t, std::int64_t>, Reduction> reductions_; ///< by stage and chunk
  std::map<std::uint32_t, WorkTimes> computes_;
  /// Passes that run beside others, by whether they are backward, whether gradients of weights are
  /// delayed, and by chunk.
  std::map<std::tuple<bool, bool, const ChunkTimes*>, std::vector<Segment>> passes_;
  /// Pairs of passes by whether gradients of weights are delayed, and by the chunks of both passes.
  std::map<std::tuple<bool, const ChunkTimes*, const ChunkTimes*>, PairTimes> pairs_;
};

} // namespace moesim
