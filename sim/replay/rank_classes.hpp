#pragma once

#include "sim/replay/block_symmetry.hpp"

#include <cstddef>
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

/// Which ranks count as equal before they are compared.
struct ClassRules {
  /// The ranks of an expert-parallel group carry alike; else each is a class of its own, together
  /// with those at its place in other groups, which carry the same.
  bool experts_alike = true;
  /// The ranks of a ring are not told apart by how far they are from where it leaves a leaf, only
  /// by their other flows. That makes few classes; whether one rank stands for its class then shows
  /// in the replay (`stood_for_all`).
  bool rings_together = false;
  std::size_t classes_max = 0; ///< of a stage
};

/// The coarsest classes such that each rank of one sends as many flows, to ranks of the same
/// classes over links of the same classes, as any other, and each link of one carries as many. Then
/// all of a class have the same rate at any time, and one stands for all (an equitable partition,
/// found by colour refinement). The flows are those of every collective that a group of its kind
/// may do, and of transfers between stages. Nothing if there are more than `classes_max` classes,
/// or more than 8 Mi links on the routes of all flows. Regular topologies only.
///
/// `symmetry`: that of the plan on the topology. With it only the ranks of one block are compared,
/// and the classes are the same.
std::optional<RankClasses> find_rank_classes(const ParallelPlan& plan, const Topology& topology,
                                             const ClassRules& rules,
                                             const std::optional<BlockSymmetry>& symmetry = {});

} // namespace moesim
