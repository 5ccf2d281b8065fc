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

/// One pass of a stage in its order, with the work that it has at that place.
struct OrderedPass {
  ChunkPass pass;
  const std::vector<Segment>* segments = nullptr;
};

/// The properties that make two passes of a stage the same work.
struct PassKey {
  std::int64_t chunk = 0;
  std::int64_t micro_batch = 0; ///< 0 where all have the same load
  PassPlace place = PassPlace::regular;
  Pass pass = Pass::forward;
  bool delayed = false; ///< a backward pass with delayed gradients of weights

  auto operator<=>(const PassKey&) const = default;
};

/// One stage while a graph is built.
struct PlacedStage {
  std::vector<DeviceId> devices;
  /// By GroupKind: indices of StepGraph::groups.
  std::array<std::vector<std::uint32_t>, enumerator_count<GroupKind>> groups;
  std::map<PassKey, std::vector<Segment>> passes; ///< those that the stage does
  std::vector<OrderedPass> order;                 ///< of the step
  std::vector<Segment> start;                     ///< of the step
  std::vector<Segment> end;
};

/// The tables that the stages of a step share.
struct StepTables {
  /// The workload and the works must live as long.
  StepTables(const Workload& workload, Works& step_works)
      : works(step_works), blocks(workload, works), gradients(workload, works) {}

  WorkTable works;
  BlockTable blocks;
  GradientTable gradients;
};

/// Adds the work and the groups of one stage to the graph, whose devices are those of `layout`.
/// `loads` are those of the workload, `tables` those over the graph's works.
PlacedStage place_stage(StepGraph& graph, StepTables& tables, const Workload& workload,
                        const DeviceLayout& layout, const ExpertLoads& loads, std::int64_t number);

} // namespace moesim
