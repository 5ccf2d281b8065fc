#pragma once

#include "sim/cost/network_cost.hpp"
#include "sim/replay/folding.hpp"
#include "sim/replay/rank_flows.hpp"

#include <map>
#include <tuple>

namespace moesim {

/// A flow of the replay: an amount of work for a route. `bytes` is what arrives; `amount` is that
/// divided by the efficiency of its messages, so that it takes its real time at full capacity.
struct PlannedFlow {
  MachineRoute route;
  double bytes = 0.0;
  double amount = 0.0;
};

/// What a collective or a transfer does to the network: a start-up, then flows that run together.
struct TrafficPlan {
  Seconds startup;
  std::vector<PlannedFlow> flows;
};

/// The time of a communication that has its links to itself; exact for one flow, else a bound.
Seconds time_alone(const TrafficPlan& plan, const LinkFolding& folding);

/// Plans the traffic of the communications of a graph on the links of a replay.
class TrafficPlanner {
public:
  TrafficPlanner(const DeviceLayout& layout, const ParallelPlan& plan, const Topology& topology,
                 const NetworkCost& network)
      : layout_(layout), plan_(plan), topology_(topology), network_(network),
        folding_(layout, plan, topology) {}

  /// Valid until the planner dies.
  const TrafficPlan& collective(const CollectiveWork& work, const DeviceGroup& group);
  TrafficPlan transfer(const TransferWork& work, const DevicePair& pair);
  const LinkFolding& folding() const { return folding_; }

private:
  using CollectiveKey = std::tuple<Collective, GroupKind, Bytes, DeviceId>;
  TrafficPlan plan_collective(const CollectiveWork& work, const DeviceGroup& group);
  static std::string medium_of(Tier tier);
  struct Members {
    std::int64_t inside = 1;       ///< ranks of a group on the node that holds most of them
    std::int64_t inside_least = 1; ///< and on the one that holds fewest
    std::int64_t outside = 1;      ///< nodes that hold some
  };
  Members members(GroupKind group, RankId rank) const;
  /// Joins the flows that take the same hops, and counts them as the weight of their sum.
  std::vector<PlannedFlow> plan_flows(const std::vector<RankFlow>& flows, Collective kind,
                                      Members members);
  /// The longest path of some flows, and who sends over it; `first` if it is among the equals.
  struct Farthest {
    RankId sender{};
    Seconds path;
  };
  Farthest find_farthest(const std::vector<RankFlow>& flows, RankId first) const;
  /// How the rings of a stage load the links that only some of their neighbours use.
  struct Crossing {
    bool ragged = false;                     ///< only some ranks of a ring send to another node
    std::map<LinkKind, std::uint32_t> loads; ///< flows over the busiest link of a kind
    RankId source{};
    RankId sink{};
    double share = 0.0;         ///< bytes of one such flow over the collective's bytes
    double message_share = 0.0; ///< likewise of its messages
    bool counts(LinkKind kind) const;
  };
  /// Alike for all ring collectives of a group, but twice the bytes for an all-reduce.
  const Crossing& crossing_of(const CollectiveWork& work, const Device& device);
  /// Rings cross a leaf's uplink only where neighbours are on different leaves, so the crossing is
  /// counted over all rings of the stage, and one flow stands for those of the busiest leaf; NICs
  /// likewise, where only some ranks of a ring send to another node.
  void add_leaf_crossing(const CollectiveWork& work, const Device& device,
                         std::vector<PlannedFlow>& flows);
  double efficiency(RankId source, RankId sink, Collective kind, double message_bytes,
                    Members members) const;

  const DeviceLayout& layout_;
  const ParallelPlan& plan_;
  const Topology& topology_;
  const NetworkCost& network_;
  LinkFolding folding_;
  std::map<CollectiveKey, TrafficPlan> collectives_;
  std::map<std::tuple<GroupKind, std::int64_t, bool>, Crossing> crossings_;
};

} // namespace moesim
