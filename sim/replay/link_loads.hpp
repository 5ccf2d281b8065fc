#pragma once

#include "sim/replay/flow_costs.hpp"
#include "sim/replay/traffic_plan.hpp"

#include <vector>

namespace moesim {

/// Loads of all links of a topology, by LinkId: the bytes and the amounts of flows that run
/// together, added up.
class LinkLoads {
public:
  /// Both must outlive the loads.
  LinkLoads(const Topology& topology, const FlowCosts& costs);

  /// Adds a phase of a collective between the ranks of a group.
  void add_group(const CollectiveFlows& group, std::size_t phase, const CollectiveWork& work,
                 const FlowKind& kind);
  /// Adds flows from one rank.
  void add_flows(const std::vector<RankFlow>& sent, const FlowKind& kind);

  /// The longest start-up of a rank of the groups.
  Seconds startup() const { return startup_; }
  /// The mean of the groups' mean amounts of a flow.
  double mean_amount() const;
  /// Links that carry anything, by number.
  std::vector<LinkId> loaded() const;
  /// The loaded link of each kind that takes the longest time, in the order of kinds.
  std::vector<LinkId> busiest() const;
  /// Flows that carry the loads of some links, each over its link alone. A flow has the weight of
  /// the flows that it stands for, of which one of the mean amount has 1.
  std::vector<PlannedFlow> flows(const std::vector<LinkId>& links, double mean_amount,
                                 LinkFolding& folding) const;

private:
  /// Adds an all-to-all between pairs that all carry the same, by counting; false where no closed
  /// form holds.
  bool add_uniform(const CollectiveFlows& group, const CollectiveWork& work, const FlowKind& kind);

  void add(LinkId link, double bytes, double amount);

  const Topology& topology_;
  const FlowCosts& costs_;
  std::vector<double> bytes_;
  std::vector<double> amounts_;
  std::vector<LinkId> loaded_; ///< regular fabrics: links that carry anything
  std::vector<double> means_;  ///< amounts of a flow, by group
  Seconds startup_;
};

} // namespace moesim
