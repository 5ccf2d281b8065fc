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

/// Inputs and shared state of all that plans the traffic of one replay.
struct TrafficContext {
  const DeviceLayout& layout;
  const ParallelPlan& plan;
  const Topology& topology;
  const FlowCosts& costs;
  LinkFolding& folding;
  TrafficNotes& notes;
  /// The repetition of ranks and links, and of their classes too; none where they have none.
  const std::optional<BlockSymmetry>& symmetry;
  const std::optional<BlockSymmetry>& class_symmetry;

  const Device& device(DeviceId id) const { return layout.devices[index(id)]; }
};

/// Load model as a strategy: turns flows between ranks into flows of the replay. It holds for any
/// replay of the layout, so it may remember routes.
class TrafficModel {
public:
  TrafficModel() = default;
  TrafficModel(const TrafficModel&) = delete;
  TrafficModel& operator=(const TrafficModel&) = delete;
  virtual ~TrafficModel() = default;

  /// The phases of a collective by the algorithm of its kind, with nothing beside it. `device`
  /// stands for a rank of the group.
  virtual TrafficPlan collective(const CollectiveWork& work, DeviceId device) = 0;
  /// The flows of a transfer of `bytes` from each rank of the source to its counterpart.
  virtual std::vector<PlannedFlow> transfer(DeviceId source, DeviceId sink, double bytes) = 0;
};

/// The strategy of a load model. Objects that the context names must outlive it.
std::unique_ptr<TrafficModel> make_traffic_model(LoadModel model, const TrafficContext& context);

/// The flows of a collective between the ranks of the group of `member`.
CollectiveFlows flows_of_group(const CollectiveWork& work, RankId member,
                               const TrafficContext& context);

/// Plans each phase of a collective by `plan_phase`, and tells the error of the whole.
TrafficPlan plan_phases(const CollectiveFlows& flows, const FlowCosts& costs,
                        const std::function<TrafficPhase(std::size_t)>& plan_phase);

/// Moves a route some stages ahead of the one that it was made for, where stages are copies.
void move_ahead(std::int64_t stages, MachineRoute& route, const TrafficContext& context);
/// The same for the routes of a plan. `asked`: the links that planning asked for, in order.
void move_ahead(std::int64_t stages, const std::vector<LinkId>& asked, TrafficPlan& plan,
                const TrafficContext& context);

} // namespace moesim
