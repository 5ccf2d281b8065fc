#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/schedule/pass_segments.hpp"
#include "sim/schedule/step_graph.hpp"
#include "sim/workload/pipeline_order.hpp"
#include "sim/workload/workload.hpp"

#include <array>
#include <compare>
#include <map>
#include <vector>

namespace moesim {

/// One pass in the order of a stage, with its work at that position.
struct OrderedPass {
  ChunkPass pass;
  const std::vector<Segment>* segments = nullptr;
};

/// The properties that decide the work of a pass of a stage.
struct PassKey {
  std::int64_t chunk = 0;
  std::int64_t micro_batch = 0; ///< 0 if all have the same load
  PassPosition position = PassPosition::regular;
  Pass pass = Pass::forward;
  bool delayed = false; ///< a backward pass with delayed gradients of weights

  auto operator<=>(const PassKey&) const = default;
};

/// The work of one stage during the building of a graph.
struct PlacedStage {
  std::vector<DeviceId> devices;
  /// Indices of StepGraph::groups, by GroupKind.
  std::array<std::vector<std::uint32_t>, enumerator_count<GroupKind>> groups;
  std::map<PassKey, std::vector<Segment>> passes; ///< segments of each distinct pass
  std::vector<OrderedPass> order;                 ///< of the step
  std::vector<Segment> start;                     ///< of the step
  std::vector<Segment> end;
};

/// The tables that the stages of a step share.
struct StepTables {
  /// The workload and the works must outlive this object.
  StepTables(const Workload& workload, Works& step_works, Labels labels = Labels::kept)
      : works(step_works, labels), blocks(workload, works), gradients(workload, works) {}

  WorkTable works;
  BlockTable blocks;
  GradientTable gradients;
};

/// Adds the work and the groups of one stage to the graph, whose devices are those of `layout`.
/// `loads` must be those of the workload, `tables` those over the graph's works.
PlacedStage place_stage(StepGraph& graph, StepTables& tables, const Workload& workload,
                        const DeviceLayout& layout, const ExpertLoads& loads, std::int64_t number);

} // namespace moesim
