#pragma once

#include "sim/platform/topology.hpp"
#include "sim/workload/parallel_plan.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace moesim {

/// The symmetry of a plan on a regular cluster. All pipeline stages have the same structure, and a
/// stage consists of equal blocks of ranks. A cyclic shift of a stage's ranks by one block maps its
/// groups, their flows, routes and links onto each other. A block holds a whole number of the
/// cluster's units (nodes, scale-up domains and switches, leaves, pods). It also holds a whole
/// number of groups, except for groups that have equal parts in all blocks.
class BlockSymmetry {
public:
  /// Finds the smallest blocks. Nothing if the topology is not regular or if no such blocks fill a
  /// stage.
  static std::optional<BlockSymmetry> find(const ParallelPlan& plan, const Topology& topology);

  /// Ranks of a block.
  std::int64_t block() const { return block_; }
  /// Blocks of a stage.
  std::int64_t blocks() const { return stage_ranks_ / block_; }

  /// The counterpart of a link in a stage.
  LinkId in_stage(LinkId link, std::int64_t stage) const {
    return counterpart(link, stage, place_of_owner(link));
  }
  /// The counterpart of a link `stages` stages ahead.
  LinkId ahead(LinkId link, std::int64_t stages) const {
    return counterpart(link, stage_of_owner(link) + stages, place_of_owner(link));
  }
  /// The counterpart of a link in the first block of its stage.
  LinkId in_first_block(LinkId link) const {
    return counterpart(link, stage_of_owner(link), place_of_owner(link) % block_);
  }
  bool in_first_block(RankId rank) const {
    return static_cast<std::int64_t>(index(rank)) % stage_ranks_ < block_;
  }

private:
  BlockSymmetry(const Topology& topology, std::int64_t stage_ranks, std::int64_t block)
      : topology_(&topology), stage_ranks_(stage_ranks), block_(block) {}
  std::int64_t stage_of_owner(LinkId link) const {
    return static_cast<std::int64_t>(index(topology_->owner(link))) / stage_ranks_;
  }
  std::int64_t place_of_owner(LinkId link) const {
    return static_cast<std::int64_t>(index(topology_->owner(link))) % stage_ranks_;
  }
  LinkId counterpart(LinkId link, std::int64_t stage, std::int64_t position) const {
    return topology_->own_link(RankId(static_cast<std::uint32_t>(stage * stage_ranks_ + position)),
                               topology_->link(link).kind);
  }

  const Topology* topology_;
  std::int64_t stage_ranks_;
  std::int64_t block_;
};

/// Number of members of a group in the first block of their stage, which are the first of the
/// group; all without symmetry.
std::size_t members_in_first_block(const std::optional<BlockSymmetry>& symmetry,
                                   const std::vector<RankId>& group);

} // namespace moesim
