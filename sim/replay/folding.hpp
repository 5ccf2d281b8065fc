#pragma once

#include "sim/platform/topology.hpp"
#include "sim/replay/machine.hpp"
#include "sim/schedule/step_graph.hpp"

#include <map>
#include <vector>

namespace moesim {

/// How the flows of a collective become flows of the replay.
enum class LoadModel {
  pairs,          ///< every pair of ranks is a flow
  representative, ///< all ranks of a stage are alike: one's flows stand for all
  stage_links,    ///< what all groups of a stage load each link with; of each class of links the
                  ///< busiest
  group_links     ///< what a group loads each link with: the slowest link ends the collective
};

/// The devices of a replay and how they stand for the ranks. Folded: where the ranks of each stage
/// sit alike in the topology, one stands for its stage. Where they do not, every rank is a device
/// of its own up to 64 ranks; beyond, a stage is one device whose collectives are the loads of its
/// links, and `approximate` is set: what shares a link over time is lost.
struct ReplayLayout {
  DeviceLayout layout;
  LoadModel model = LoadModel::pairs;
  bool approximate = false;
};
/// So many ranks are all replayed where one cannot stand for all.
constexpr std::int64_t unfolded_ranks_max = 64;
ReplayLayout fold_ranks(const ParallelPlan& plan, const Topology& topology);

/// Maps the links of the topology to the links of the replay. Under folding, the ranks of a stage
/// that share a link are one device, which loads that link as many times as there are ranks; every
/// rank's link stands for the same link of its stage's device.
class LinkFolding {
public:
  /// Only the model `representative` folds links; the others use the real ones.
  LinkFolding(const DeviceLayout& layout, LoadModel model, const ParallelPlan& plan,
              const Topology& topology);

  /// A route of the topology as hops over the links of the replay: `times` of a hop is how many
  /// ranks load the real link at the same time. `weight` is how many flows this one stands for.
  /// Where the route's shares are no whole numbers, a hop stands as often as its share of
  /// `parts`, and the flow carries its amount divided by `parts`.
  struct FoldedRoute {
    MachineRoute route;
    double parts = 1.0;
  };
  FoldedRoute route(RankId source, const Route& route);
  /// A hop over the link of `kind` of the device of `owner`'s stage, loaded `times` times. Regular
  /// topologies only.
  MachineRoute::Hop hop(RankId owner, LinkKind kind, std::uint32_t times);
  /// A hop over the real link itself.
  MachineRoute::Hop hop(LinkId link) { return number(link, 1); }

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
  /// The GPU that the bytes reach next from a place on their route.
  RankId next_stop(const Route& route, std::size_t place) const;
  /// How many ranks of a stage share the link, each once.
  std::uint32_t times(LinkId link, std::int64_t stage);

  const DeviceLayout& layout_;
  LoadModel model_;
  const ParallelPlan& plan_;
  const Topology& topology_;
  std::map<std::pair<LinkId, std::int64_t>, std::uint32_t> times_; ///< counted so far
  std::map<LinkId, std::uint32_t> index_;
  std::vector<LinkId> originals_;
};

} // namespace moesim
