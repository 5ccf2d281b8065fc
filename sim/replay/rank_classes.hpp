#pragma once

#include "sim/replay/block_symmetry.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace moesim {

/// Classes of ranks that do the same at the same time throughout a step, and of links that carry
/// the same.
struct RankClasses {
  /// Class by position in a stage, from 0, in the order of their first positions. Ranks at the same
  /// position in two stages have the same class.
  std::vector<std::uint32_t> class_of_position;
  std::uint32_t count = 0;
  std::vector<LinkId> first_alike; ///< by LinkId: the first link of its class
};

/// Rules for the ranks that count as equal before they are compared.
struct ClassRules {
  /// Whether the ranks of an expert-parallel group carry the same loads. Else each rank of a group
  /// starts as a class, together with the ranks of the same index in other groups.
  bool experts_alike = true;
  /// Whether the ranks of a ring have the same class for any distance from the point where the ring
  /// leaves a leaf, unless their other flows differ. This makes few classes; the replay then shows
  /// if one rank represents its class (`stood_for_all`).
  bool rings_together = false;
  std::size_t classes_max = 0; ///< most classes of a stage
};

/// Finds the coarsest classes in which all ranks of a class send the same number of flows to ranks
/// of the same classes over links of the same classes, and all links of a class carry the same
/// number. All flows of a class then have the same rate at any time, and one member represents its
/// class (an equitable partition, found by colour refinement). The flows are those of every
/// collective that a group of its kind may run, and of transfers between stages. Nothing if there
/// are more than `classes_max` classes, or more than 8 Mi links on the routes of all flows. Regular
/// topologies only.
///
/// `symmetry` is that of the plan on the topology. With it only the ranks of one block are
/// compared; the classes are the same.
std::optional<RankClasses> find_rank_classes(const ParallelPlan& plan, const Topology& topology,
                                             const ClassRules& rules,
                                             const std::optional<BlockSymmetry>& symmetry = {});

} // namespace moesim
