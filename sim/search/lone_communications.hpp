#pragma once

#include "sim/cost/costs.hpp"
#include "sim/replay/traffic_planner.hpp"
#include "sim/schedule/works.hpp"

#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

namespace moesim {

/// The time that a sequence of work takes at least, and the time that it needs of each resource of
/// its stage: the computes first, then the links, by the index that LoneCommunications gives them.
struct WorkTimes {
  Seconds serial; ///< one after the other; of two side by side the longer
  std::vector<double> uses = {0.0};

  void add(const WorkTimes& other, double times = 1.0);
  double use(std::size_t resource) const { return resource < uses.size() ? uses[resource] : 0.0; }
};

/// Times of the communications of plans whose ranks form the same groups, each alone on its links.
class LoneCommunications {
public:
  /// `ranks_carry_alike`: all ranks of a stage carry the same loads (step_layout). `topology` and
  /// `costs` must live as long.
  LoneCommunications(ParallelPlan plan, const Topology& topology, const Costs& costs,
                     bool ranks_carry_alike);

  /// The stage whose times are those of `stage`: 0 if all stages take the same.
  std::int64_t representative(std::int64_t stage) const { return stages_alike_ ? 0 : stage; }
  const WorkTimes& collective(const CollectiveWork& work, std::int64_t stage);
  /// The communication beside a compute of a stage.
  BesideCompute beside(const CollectiveWork& work, std::int64_t stage);
  /// The transfer and its use of the links of the stage `from`; nothing within a stage.
  const WorkTimes& transfer(const TransferWork& work, std::int64_t from, std::int64_t to);

private:
  /// The device of the first rank of a stage.
  DeviceId device_of(std::int64_t stage) const;
  /// Adds the use of a link of the replay by a stage.
  void use(std::int64_t stage, const MachineRoute::Hop& hop, double amount, WorkTimes& times);

  ParallelPlan plan_;
  const Topology& topology_;
  ReplayLayout layout_;
  bool stages_alike_;
  /// Whether the layout is that of a replay. Else a group's own loads are a bound, and the busiest
  /// link of one collective may be another's idle one: their times do not add up.
  bool links_known_;
  TrafficPlanner planner_;
  std::map<std::pair<CollectiveWork, std::int64_t>, WorkTimes> collectives_;
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, WorkTimes> transfers_;
  /// By stage: the index of each of its links among its resources. If one rank represents a stage,
  /// which then has one link of each kind, by kind of link.
  std::map<std::int64_t, std::map<std::uint32_t, std::size_t>> resources_;
};

} // namespace moesim
