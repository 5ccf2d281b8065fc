#pragma once

#include "sim/replay/block_symmetry.hpp"
#include "sim/replay/flow_costs.hpp"
#include "sim/replay/traffic_plan.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace moesim {

/// Inputs and shared state of the planning of one replay's traffic.
struct TrafficContext {
  const DeviceLayout& layout;
  const ParallelPlan& plan;
  const Topology& topology;
  const FlowCosts& costs;
  LinkFolding& folding;
  TrafficNotes& notes;
  /// The symmetry of ranks and links, and the one that their classes also have; nothing if there is
  /// none.
  const std::optional<BlockSymmetry>& symmetry;
  const std::optional<BlockSymmetry>& class_symmetry;

  const Device& device(DeviceId id) const { return layout.devices[index(id)]; }
};

/// Load model as a strategy: turns flows between ranks into flows of the replay. It serves all
/// communications of a layout, so it may keep routes.
class TrafficModel {
public:
  TrafficModel() = default;
  TrafficModel(const TrafficModel&) = delete;
  TrafficModel& operator=(const TrafficModel&) = delete;
  virtual ~TrafficModel() = default;

  /// The phases of a collective by the algorithm of its kind, without computes beside it. `device`
  /// represents a rank of the group.
  virtual TrafficPlan collective(const CollectiveWork& work, DeviceId device) = 0;
  /// The flows of a transfer of `bytes` from each rank of the source to its counterpart.
  virtual std::vector<PlannedFlow> transfer(DeviceId source, DeviceId sink, double bytes) = 0;
};

/// The strategy of a load model. Objects that the context names must outlive it.
std::unique_ptr<TrafficModel> make_traffic_model(LoadModel model, const TrafficContext& context);

/// The flows of a collective between the ranks of the group of `member`.
CollectiveFlows flows_of_group(const CollectiveWork& work, RankId member,
                               const TrafficContext& context);

/// Plans each phase of a collective by `plan_phase`, and adds the error of the collective.
TrafficPlan plan_phases(const CollectiveFlows& flows, const FlowCosts& costs,
                        const std::function<TrafficPhase(std::size_t)>& plan_phase);

/// Moves a route ahead by `stages` stages, which must have the same structure.
void move_ahead(std::int64_t stages, MachineRoute& route, const TrafficContext& context);
/// The same for the routes of a plan. `asked`: the links that its planning asked for, in order.
void move_ahead(std::int64_t stages, const std::vector<LinkId>& asked, TrafficPlan& plan,
                const TrafficContext& context);

} // namespace moesim
