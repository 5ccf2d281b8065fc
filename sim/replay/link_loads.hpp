#pragma once

#include "sim/replay/flow_costs.hpp"
#include "sim/replay/link_sums.hpp"

#include <vector>

namespace moesim {

/// Loads of all links of a topology, by LinkId: sums of the bytes and the amounts of flows that run
/// together.
class LinkLoads {
public:
  /// Both arguments must outlive the loads.
  LinkLoads(const Topology& topology, const FlowCosts& costs);

  /// Adds a phase of a collective between the ranks of a group.
  void add_group(const CollectiveFlows& group, std::size_t phase, const CollectiveWork& work,
                 const FlowKind& kind);
  /// Adds flows from one rank.
  void add_flows(const std::vector<RankFlow>& sent, const FlowKind& kind);

  /// The longest start-up of a rank of the groups.
  Seconds startup() const { return startup_; }
  /// Mean over groups of the mean amount of a flow.
  double mean_amount() const;
  /// Links with a load, by number.
  std::vector<BusyLink> loaded() const;
  /// The loaded link of each kind that takes the longest time, in the order of kinds.
  std::vector<BusyLink> busiest() const;

private:
  /// Adds an all-to-all with equal loads of all pairs, by a closed form; false if none holds.
  bool add_uniform(const CollectiveFlows& group, const CollectiveWork& work, const FlowKind& kind);

  void add(LinkId link, double bytes, double amount);

  const Topology& topology_;
  const FlowCosts& costs_;
  std::vector<double> bytes_;
  std::vector<double> amounts_;
  std::vector<LinkId> loaded_; ///< regular fabrics: links with a load
  std::vector<double> means_;  ///< mean amount of a flow, by group
  Seconds startup_;
};

} // namespace moesim
