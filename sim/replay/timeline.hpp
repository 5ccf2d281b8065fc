#pragma once

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"
#include "sim/platform/topology.hpp"
#include "sim/workload/collective.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// The start and the end of an operation.
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

/// The bytes that a link carried in the whole step.
struct LinkUse {
  std::string name;
  LinkKind kind = LinkKind::scale_up_egress;
  double bytes = 0.0;      ///< on the real link, all that share it counted
  BytesPerSecond capacity; ///< of the real link
};

/// The bytes of one flow on one link.
struct LinkLoad {
  std::uint32_t link = 0; ///< index in Timeline::links
  double bytes = 0.0;     ///< on the real link, all that share it counted
};

/// The time of a flow of an operation, from the end of the operation's start-up to the flow's end.
struct FlowSpan {
  OpId op{};
  std::uint32_t load = 0; ///< index in Timeline::loads
  Seconds start;
  Seconds finish;
};

/// The result of a replay: plain data.
struct Timeline {
  std::vector<OpSpan> ops;    ///< by OpId
  std::vector<RunTimes> runs; ///< by index of StepGraph::runs
  Seconds end;                ///< the step time
  std::vector<LinkUse> links;
  std::vector<Collective> algorithms; ///< algorithm of each collective of the graph, by its number
  /// Relative error of the time of each collective, at a confidence of 90 %.
  std::vector<double> errors;
  std::vector<std::string> limits; ///< `limit_of` each collective of the graph, by its number
  std::vector<std::vector<LinkLoad>> loads; ///< links that each distinct flow loads
  /// By distinct flow: whether it loads only some links of a class (ClassFlow::mixed).
  std::vector<bool> mixed;
  bool uneven = false;         ///< whether the links of a class carry unequal amounts
  std::vector<FlowSpan> flows; ///< in the order of their starts
  /// Network costs beyond the measurements: "all_to_all on infiniband", ….
  std::vector<std::string> extrapolated;
  std::vector<std::string> stand_ins; ///< see TrafficNotes::stand_ins
  std::uint64_t activities = 0;       ///< number of flows that SimGrid simulated
};

/// Whether one rank represented its class (ReplayLayout::rings_together): all links of a class
/// carry the same amount, and mixed flows of an operation ended together. Each of these flows then
/// had the same rate all the time, and max-min fairness gives the same rates flow by flow.
bool stood_for_all(const Timeline& timeline);

} // namespace moesim
