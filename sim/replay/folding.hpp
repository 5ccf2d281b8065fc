#pragma once

#include "sim/platform/topology.hpp"
#include "sim/replay/machine.hpp"
#include "sim/schedule/step_graph.hpp"

#include <map>
#include <vector>

namespace moesim {

/// The devices of a folded replay. Where the ranks of each stage sit alike in the topology, one
/// rank stands for its stage. Where they do not, every rank is a device of its own up to 64 ranks;
/// beyond, the rank with the most peers outside its node stands for its stage, and
/// `approximate` is set.
struct FoldedLayout {
  DeviceLayout layout;
  bool approximate = false;
};
FoldedLayout fold_ranks(const ParallelPlan& plan, const Topology& topology);

/// Maps the links of the topology to the links of the replay. Under folding, the ranks of a stage
/// that share a link are one device, which loads that link as many times as there are ranks; every
/// rank's link stands for the same link of its stage's device.
class LinkFolding {
public:
  LinkFolding(const DeviceLayout& layout, const ParallelPlan& plan, const Topology& topology);

  /// The route from rank to rank, as hops over the links of the replay: `times` of a hop is how
  /// many ranks load the real link at the same time. `weight` is how many flows this one stands
  /// for.
  MachineRoute route(RankId source, RankId sink, double weight);
  /// A hop over the link of `kind` of the device of `owner`'s stage, loaded `times` times.
  MachineRoute::Hop hop(RankId owner, LinkKind kind, std::uint32_t times);

  /// The real links that the replay needs, in the order of their numbers.
  const std::vector<LinkId>& originals() const { return originals_; }
  /// The full capacity of a link of the replay.
  BytesPerSecond capacity(std::uint32_t link) const {
    return topology_.link(originals_[link]).capacity;
  }
  /// The links of the replay at full capacity.
  std::vector<MachineLink> links() const;

private:
  MachineRoute::Hop number(LinkId original, std::uint32_t times);
  /// How many ranks of a stage share the link, each once.
  std::uint32_t times(LinkId link, std::int64_t stage);

  const DeviceLayout& layout_;
  const ParallelPlan& plan_;
  const Topology& topology_;
  std::map<std::pair<LinkId, std::int64_t>, std::uint32_t> times_; ///< counted so far
  std::map<LinkId, std::uint32_t> index_;
  std::vector<LinkId> originals_;
};

} // namespace moesim
