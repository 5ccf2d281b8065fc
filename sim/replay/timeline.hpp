#pragma once

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"
#include "sim/platform/topology.hpp"
#include "sim/workload/collective.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// When an operation ran.
struct OpSpan {
  Seconds start;
  Seconds finish;
};

/// The times of a run's operations, one after the other.
struct RunTimes {
  /// A compute takes one; a collective a start-up and a time of flows for each phase. Ends of
  /// operations are sums of these in their order, as where operations are played one by one.
  std::vector<Seconds> parts;
  std::vector<std::uint32_t> ends; ///< by operation: the parts of the run until its end
};

/// What a link carried in the whole step.
struct LinkUse {
  std::string name;
  LinkKind kind = LinkKind::scale_up_egress;
  double bytes = 0.0;      ///< on the real link, all that share it counted
  BytesPerSecond capacity; ///< of the real link
};

/// What one flow puts on one link.
struct LinkLoad {
  std::uint32_t link = 0; ///< its place in Timeline::links
  double bytes = 0.0;     ///< on the real link, all that share it counted
};

/// When a flow of an operation ran: from the end of the operation's start-up to its own end.
struct FlowSpan {
  OpId op{};
  std::uint32_t load = 0; ///< its place in Timeline::loads
  Seconds start;
  Seconds finish;
};

/// The result of a replay: plain data.
struct Timeline {
  std::vector<OpSpan> ops;    ///< by OpId
  std::vector<RunTimes> runs; ///< by index of StepGraph::runs
  Seconds end;                ///< the step time
  std::vector<LinkUse> links;
  std::vector<Collective> algorithms; ///< that each collective of the graph took, by its number
  /// How far the time of each may be off, as a share of it, with a confidence of 90 %.
  std::vector<double> errors;
  std::vector<std::vector<LinkLoad>> loads; ///< of each distinct flow, the links that it loads
  /// Of each distinct flow: of its class of links some carry it and some another one instead.
  std::vector<bool> mixed;
  bool uneven = false;         ///< links that one stands for do not all carry as much
  std::vector<FlowSpan> flows; ///< in the order in which the replay met them
  /// Network costs that left what was measured: "all_to_all on infiniband", ….
  std::vector<std::string> extrapolated;
  std::vector<std::string> stand_ins; ///< as TrafficPlanner's
  std::uint64_t activities = 0;       ///< that SimGrid simulated
};

/// Whether one rank could stand for all of its class (ReplayLayout::rings_together): links that one
/// stands for carry as much, and flows of an operation that stand in for each other on them ended
/// together. Then each had the rate of the others all along, and max-min fairness gives the same
/// rates flow by flow.
bool stood_for_all(const Timeline& timeline);

} // namespace moesim
