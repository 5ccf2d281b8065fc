#pragma once

#include "sim/platform/topology.hpp"
#include "sim/replay/block_symmetry.hpp"
#include "sim/replay/rank_flows.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>

namespace moesim {

/// Loads of the rings of a stage on links between switches and, for ragged rings, on NICs. A ring
/// is ragged if only some of its ranks send to another domain.
struct RingCrossing {
  bool ragged = false;
  std::map<LinkKind, std::uint32_t> loads; ///< flows over the busiest link of a kind
  RankFlow flow;                           ///< one of these flows, or its counterpart …
  double of_bytes = 1.0;                   ///< … for a collective of this many bytes

  /// Whether links of a kind are counted over all rings of the stage.
  bool counts(LinkKind kind) const;
};

/// The crossings of the stages of a plan, each found at its first use.
class RingCrossings {
public:
  /// With a symmetry, rings are counted over the first block of the first stage. Arguments must
  /// outlive the crossings.
  RingCrossings(const ParallelPlan& plan, const Topology& topology,
                const std::optional<BlockSymmetry>& symmetry)
      : plan_(plan), topology_(topology), symmetry_(symmetry) {}

  /// The crossing of a ring collective, valid as long as this object. It holds for all works of the
  /// collective between groups of the kind: only the bytes differ.
  const RingCrossing& of(const CollectiveWork& work, std::int64_t stage);

private:
  RingCrossing find(const CollectiveWork& work, std::int64_t stage) const;

  const ParallelPlan& plan_;
  const Topology& topology_;
  const std::optional<BlockSymmetry>& symmetry_;
  std::map<std::tuple<GroupKind, std::int64_t, Collective>, RingCrossing> found_;
};

} // namespace moesim
