#pragma once

#include "sim/platform/topology.hpp"
#include "sim/workload/parallel_plan.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace moesim {

/// Ranks that do the same at the same time all through a step, and links that carry the same.
struct RankClasses {
  /// By place in a stage: classes count from 0, in the order of their first places. Ranks at equal
  /// places of two stages are of the same class in both.
  std::vector<std::uint32_t> class_of_place;
  std::uint32_t count = 0;
  std::vector<LinkId> first_alike; ///< by LinkId: the first link of its class
};

/// The coarsest classes such that each rank of one sends as many flows, to ranks of the same
/// classes over links of the same classes, as any other, and each link of one carries as many. Then
/// all of a class have the same rate at any time, and one stands for all (an equitable partition,
/// found by colour refinement). The flows are those of every collective that a group of its kind
/// may do, and of transfers between stages.
///
/// `experts_alike`: the ranks of an expert-parallel group carry alike; else each is a class of its
/// own, together with those at its place in other groups, which carry what it does. Nothing if
/// there are more than `classes_max` classes, or too many flows to look at. Regular topologies
/// only.
///
/// `rings_together`: the ranks of a ring are not told apart by how far they are from where it
/// leaves a leaf, only by what else they carry. That makes few classes; whether one rank stands for
/// its class then shows in the replay (`stood_for_all`).
std::optional<RankClasses> find_rank_classes(const ParallelPlan& plan, const Topology& topology,
                                             bool experts_alike, std::size_t classes_max,
                                             bool rings_together = false);

} // namespace moesim
