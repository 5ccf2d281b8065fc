#pragma once

#include "sim/platform/topology.hpp"
#include "sim/replay/machine.hpp"
#include "sim/schedule/step_graph.hpp"

#include <map>
#include <optional>
#include <vector>

namespace moesim {

/// How the flows of a collective become flows of the replay.
enum class LoadModel {
  classes,        ///< one flow for each class of flows; where each rank is a class, every pair's
  representative, ///< all ranks of a stage are alike: one's flows stand for all
  stage_links,    ///< what all groups of a stage load each link with; of each class of links the
                  ///< busiest
  group_links     ///< what a group loads each link with: the slowest link ends the collective
};

/// The devices of a replay and how they stand for the ranks.
struct ReplayLayout {
  DeviceLayout layout;
  LoadModel model = LoadModel::classes;
  bool approximate = false;
  /// Model `classes`, by LinkId: the first of the links that carry as much; empty where no other
  /// does.
  std::vector<LinkId> first_alike = {};
  /// Classes that may be too few: whether one rank stands for each shows in the replay
  /// (`stood_for_all`).
  bool rings_together = false;
};
/// So many classes of ranks are all replayed: fewer where expert-parallel groups are large, as each
/// rank of one sends to each other.
std::int64_t folded_devices_max(const ParallelPlan& plan);

/// Whether the ranks of each stage sit alike in a regular topology.
bool ranks_sit_alike(const ParallelPlan& plan, const Topology& topology);

/// Enough for the collectives of all stages to take the same routes, moved by whole stages: the
/// topology is regular, and each of its units (node, scale-up switch and domain, leaf, pod) holds
/// whole stages or divides one.
bool stages_sit_alike(const ParallelPlan& plan, const Topology& topology);

/// One rank stands for its stage.
ReplayLayout fold_stages(const ParallelPlan& plan);

/// Folds the ranks of a plan, all of which carry alike. Where those of each stage sit alike in the
/// topology too, one stands for its stage; else as `fold_into_classes`.
ReplayLayout fold_ranks(const ParallelPlan& plan, const Topology& topology);
/// One device for each class of ranks that sit alike and carry as much; `experts_alike` as for
/// `find_rank_classes`. On topologies that are not regular each rank is a class. Where that
/// makes too many devices, a stage is one whose collectives are the loads of its links, and
/// `approximate` is set: what shares a link over time is lost.
ReplayLayout fold_into_classes(const ParallelPlan& plan, const Topology& topology,
                               bool experts_alike);

/// Few classes for ranks that carry alike, whose rings go together: see find_rank_classes. Nothing
/// if they cannot be found.
std::optional<ReplayLayout> fold_rings_together(const ParallelPlan& plan, const Topology& topology);

/// Maps the links of the topology to the links of the replay. Where one rank stands for a stage,
/// the ranks that share a link are one device, which loads that link as many times as there are
/// ranks; every rank's link stands for the same link of its stage's device.
class LinkFolding {
public:
  /// The layout must live as long.
  LinkFolding(const ReplayLayout& layout, const ParallelPlan& plan, const Topology& topology);

  /// Model `representative`: a route of the topology as hops over the links of the replay: `times`
  /// of a hop is how many ranks load the real link at the same time.
  MachineRoute route(RankId source, const Route& route);
  /// A hop over the link of `kind` of the device of `owner`'s stage, loaded `times` times. Regular
  /// topologies only.
  MachineRoute::Hop hop(RankId owner, LinkKind kind, std::uint32_t times);
  /// A hop over the real link itself.
  MachineRoute::Hop hop(LinkId link, std::uint32_t times = 1) { return number(link, times); }

  /// Model `classes`: the first of the links that carry as much as this one, and how many do.
  LinkId first_alike(LinkId link) const {
    return layout_.first_alike.empty() ? link : layout_.first_alike[index(link)];
  }
  std::uint32_t alike(LinkId first) const { return alike_.empty() ? 1 : alike_[index(first)]; }

  /// The real links that the replay needs, in the order of their numbers.
  const std::vector<LinkId>& originals() const { return originals_; }
  /// From now on adds the links that are asked for to `asked`, in order; null: no longer.
  void record(std::vector<LinkId>* asked) { asked_ = asked; }
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

  const ReplayLayout& layout_;
  const ParallelPlan& plan_;
  const Topology& topology_;
  std::vector<std::uint32_t> alike_; ///< by LinkId: of which it is the first
  std::map<std::pair<LinkId, std::int64_t>, std::uint32_t> times_; ///< counted so far
  std::map<LinkId, std::uint32_t> index_;
  std::vector<LinkId> originals_;
  std::vector<LinkId>* asked_ = nullptr;
};

} // namespace moesim
