#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/schedule/pipeline_order.hpp"
#include "sim/schedule/segment.hpp"
#include "sim/schedule/step_graph.hpp"
#include "sim/workload/workload.hpp"

#include <compare>
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

/// One pass of a stage in its order, with the work that it has at that place.
struct OrderedPass {
  ChunkPass pass;
  const PlacedPass* work = nullptr;
};

/// Which of a stage's works a pass has.
struct PassKey {
  /// What runs beside it changes its work: the first forward and the last backward pass of a chunk,
  /// which data-parallel communication starts from, and passes beside that of other chunks.
  enum class Place : std::uint8_t { regular, edge, beside };
  std::int64_t chunk = 0;
  std::int64_t micro_batch = 0; ///< 0 where all have the same load
  Place place = Place::regular;
  Pass pass = Pass::forward;
  bool delayed = false; ///< a backward pass with delayed gradients of weights

  auto operator<=>(const PassKey&) const = default;
};

/// One stage while a graph is built.
struct PlacedStage {
  std::vector<DeviceId> devices;
  std::map<GroupKind, std::vector<std::uint32_t>> groups; ///< indices of StepGraph::groups
  std::map<PassKey, PlacedPass> passes;                   ///< those that the stage does
  std::vector<OrderedPass> order;                         ///< of the step
  std::vector<PlacedSegment> start;                       ///< of the step
  std::vector<PlacedSegment> end;
};

/// Puts the work and the groups of one stage into the graph, whose devices are those of `layout`.
/// `loads` are those of the workload.
PlacedStage place_stage(StepGraph& graph, const Workload& workload, const DeviceLayout& layout,
                        const ExpertLoads& loads, std::int64_t number);

} // namespace moesim
