#pragma once

#include "sim/cost/costs.hpp"
#include "sim/replay/traffic_planner.hpp"
#include "sim/schedule/works.hpp"

#include <cstdint>
#include <map>
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
  /// `topology` and `costs` must live as long.
  LoneCommunications(ParallelPlan plan, const Topology& topology, const Costs& costs);

  /// The stage whose times are those of `stage`: 0 if all stages take the same.
  std::int64_t representative(std::int64_t stage) const { return stages_alike_ ? 0 : stage; }
  const WorkTimes& collective(const CollectiveWork& work, std::int64_t stage);
  /// The communication beside a compute of a stage.
  BesideCompute beside(const CollectiveWork& work, std::int64_t stage);
  Seconds transfer(const TransferWork& work, std::int64_t from, std::int64_t to);

private:
  ParallelPlan plan_;
  ReplayLayout layout_;
  bool stages_alike_;
  /// Where ranks of a stage sit differently, a ring's busiest uplink stands for it, and that of
  /// another collective may be another link: their times do not add up.
  bool links_known_;
  TrafficPlanner planner_;
  std::map<std::pair<CollectiveWork, std::int64_t>, WorkTimes> collectives_;
  /// By stage: the index of each of its links among its resources.
  std::map<std::int64_t, std::map<std::uint32_t, std::size_t>> resources_;
};

} // namespace moesim
