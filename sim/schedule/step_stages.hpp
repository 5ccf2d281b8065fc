#pragma once

#include "sim/schedule/paired_passes.hpp"
#include "sim/schedule/placed_stage.hpp"
#include "sim/schedule/runs.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace moesim {

/// A pass that a transfer feeds: forward or backward, through which virtual stage, with which
/// micro-batch.
struct FedPass {
  bool backward = false;
  std::int64_t virtual_stage = 0;
  std::int64_t micro_batch = 0;
};

/// The stages of a step while its graph is built: their work, and which passes feed which.
class StepStages {
public:
  /// Adds devices, works and groups to the graph. `loads` are those of the workload. Graph and
  /// workload must live as long.
  StepStages(StepGraph& graph, const Workload& workload, const DeviceLayout& layout,
             const ExpertLoads& loads);

  const std::vector<PlacedStage>& all() const { return stages_; }
  const PlacedStage& at(std::int64_t stage) const {
    return stages_[static_cast<std::size_t>(stage)];
  }
  WorkTable& works() { return tables_.works; }

  /// Calls `visit` with each pass of a stage in its order, `visit_pair` with a forward and a
  /// backward pass that run side by side.
  template <typename Visit, typename VisitPair>
  static void for_each_pass(const PlacedStage& stage, const Visit& visit,
                            const VisitPair& visit_pair) {
    const std::vector<OrderedPass>& order = stage.order;
    for (std::size_t place = 0; place < order.size(); ++place)
      if (place + 1 < order.size() && order[place + 1].pass.beside_previous) {
        visit_pair(order[place], order[place + 1]);
        ++place;
      } else {
        visit(order[place]);
      }
  }
  /// The segments of two passes that run side by side.
  const std::vector<PairedSegment>& merged(const OrderedPass& forward, const OrderedPass& backward);
  /// The pass that gets what a pass of `stage` has made, and its stage; nothing if no transfer
  /// feeds it.
  std::optional<std::pair<FedPass, std::int64_t>> fed_by(std::int64_t stage,
                                                         const ChunkPass& pass) const;
  /// The index of StepGraph::pairs of two devices. The ranks of class i of a stage talk to those of
  /// class i of another.
  std::uint32_t pair_of(DeviceId source, DeviceId sink);
  /// The distinct communications of the step, in the order of the graph; of a plan with one copy.
  std::vector<Communication> communications();

private:
  StepGraph& graph_;
  const Workload& workload_;
  StepTables tables_;
  std::vector<PlacedStage> stages_;
  PassPairing pairing_;
  /// By the forward and the backward pass.
  std::map<std::pair<const std::vector<Segment>*, const std::vector<Segment>*>,
           std::vector<PairedSegment>>
      merged_;
  std::map<std::pair<DeviceId, DeviceId>, std::uint32_t> pair_index_;
};

} // namespace moesim
