#pragma once

#include "sim/schedule/pipeline_order.hpp"
#include "sim/schedule/segment.hpp"
#include "sim/schedule/step_graph.hpp"
#include "sim/workload/workload.hpp"

#include <array>
#include <map>
#include <vector>

namespace moesim {

/// A segment whose work is in a graph's lists.
struct PlacedSegment {
  OpKind kind = OpKind::compute;
  std::uint32_t work = 0;
  bool beside_previous = false; ///< this and the rest as in Segment
  bool detached = false;
  int mark = 0;
  int awaits = 0;
  bool joins_all = false;
  bool after_result = false;
  /// What the host launches: it runs beside the segments before it, on the host's stream.
  bool host = false;
  /// The host then waits for the segments before it.
  bool synchronises = false;
};

/// A pass through a chunk: its segments.
using PlacedPass = std::vector<PlacedSegment>;

/// The passes of a chunk, by Pass; then the backward pass with delayed gradients of weights.
using ChunkWork = std::array<PlacedPass, pass_count + 1>;
constexpr std::size_t delayed_backward = pass_count;

/// What a stage does with one of its chunks.
struct ChunkPasses {
  ChunkWork regular;
  ChunkWork edge;   ///< the first forward and the last backward pass, where they differ
  ChunkWork beside; ///< passes beside the data-parallel communication of other chunks
};

/// One stage while a graph is built.
struct PlacedStage {
  std::vector<DeviceId> devices;
  std::map<GroupKind, std::vector<std::uint32_t>> groups; ///< indices of StepGraph::groups
  std::vector<ChunkPasses> chunks;
  std::vector<PlacedSegment> start; ///< of the step
  std::vector<PlacedSegment> end;
};

/// Puts the work and the groups of one stage into the graph, whose devices are there.
PlacedStage place_stage(StepGraph& graph, const Workload& workload, std::int64_t number);

/// A pass of a stage in its order, with the work that it has at that place.
struct OrderedPass {
  ChunkPass pass;
  const PlacedPass* work = nullptr;
};
/// All passes of a stage: the first of each chunk and the last that makes gradients of weights are
/// those that data-parallel communication starts from.
std::vector<OrderedPass> ordered_passes(const PlacedStage& stage, const Workload& workload,
                                        std::int64_t number);

} // namespace moesim
