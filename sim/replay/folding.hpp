#pragma once

#include "sim/platform/topology.hpp"
#include "sim/replay/machine.hpp"
#include "sim/schedule/step_graph.hpp"

#include <map>
#include <optional>
#include <vector>

namespace moesim {

/// The model that turns the flows of a collective into flows of the replay.
enum class LoadModel {
  classes,        ///< one flow for each class of flows; one for each pair if each rank is a class
  representative, ///< all ranks of a stage are equivalent: the flows of one represent all
  stage_links,    ///< the loads of all groups of a stage, on the busiest link of each class
  group_links     ///< the loads of one group on each link: the slowest link ends the collective
};

/// The devices of a replay, and the load model by which they represent the ranks.
struct ReplayLayout {
  DeviceLayout layout;
  LoadModel model = LoadModel::classes;
  bool approximate = false;
  /// Model `classes`, by LinkId: the first of the links that carry the same load; empty if each
  /// link is a class.
  std::vector<LinkId> first_alike = {};
  /// Whether the classes may be too coarse: the replay shows if one rank represents each class
  /// (`stood_for_all`).
  bool rings_together = false;
};
/// Most classes of ranks of a folded replay. Fewer with large expert-parallel groups, as each rank
/// of a group sends to each other rank.
std::int64_t folded_devices_max(const ParallelPlan& plan);

/// Whether the ranks of each stage have equivalent positions in a regular topology.
bool ranks_sit_alike(const ParallelPlan& plan, const Topology& topology);

/// A sufficient test that the collectives of all stages take the same routes, moved by whole
/// stages. The topology must be regular, and each of its units (node, scale-up switch and domain,
/// leaf, pod) must hold whole stages or divide one.
bool stages_sit_alike(const ParallelPlan& plan, const Topology& topology);

/// A layout in which one rank represents its stage.
ReplayLayout fold_stages(const ParallelPlan& plan);

/// Folds the ranks of a plan, all of which carry the same loads. One rank represents its stage if
/// ranks_sit_alike; else see `fold_into_classes`.
ReplayLayout fold_ranks(const ParallelPlan& plan, const Topology& topology);
/// One device for each class of ranks with equivalent positions and equal loads; `experts_alike` as
/// for `find_rank_classes`. On topologies that are not regular, each rank is a class. If there are
/// too many devices, one device represents a stage, its collectives take the time of their busiest
/// links, and `approximate` is set: collectives no longer share links over time.
ReplayLayout fold_into_classes(const ParallelPlan& plan, const Topology& topology,
                               bool experts_alike);

/// Coarser classes for ranks that carry the same loads: see ClassRules::rings_together. Nothing if
/// they are not found.
std::optional<ReplayLayout> fold_rings_together(const ParallelPlan& plan, const Topology& topology);

/// Maps the links of the topology to the links of the replay. If one rank represents a stage, the
/// ranks that share a link are one device, which loads the link once for each of them. The link of
/// any rank maps to the corresponding link of its stage's device.
class LinkFolding {
public:
  /// The layout must outlive this object.
  LinkFolding(const ReplayLayout& layout, const ParallelPlan& plan, const Topology& topology);

  /// Model `representative`: a route of the topology as hops over the links of the replay. `times`
  /// of a hop is the number of ranks that load the real link at the same time.
  MachineRoute route(RankId source, const Route& route);
  /// A hop over the link of `kind` of the device of `owner`'s stage, loaded `times` times. Regular
  /// topologies only.
  MachineRoute::Hop hop(RankId owner, LinkKind kind, std::uint32_t times);
  /// Model `stage_links`: the link of the replay that represents `link` in all communications of
  /// the stage of `member`. Ranks of a stage carry nearly the same loads, so each of their links of
  /// a kind carries all communications of the stage. Those whose busiest links differ must share
  /// too.
  LinkId stage_link(RankId member, LinkId link);
  /// A hop over the real link itself.
  MachineRoute::Hop hop(LinkId link, std::uint32_t times = 1) { return number(link, times); }

  /// Model `classes`: the first of the links that carry the same load as this one, and their
  /// number.
  LinkId first_alike(LinkId link) const {
    return layout_.first_alike.empty() ? link : layout_.first_alike[index(link)];
  }
  std::uint32_t alike(LinkId first) const { return alike_.empty() ? 1 : alike_[index(first)]; }

  /// The real links that the replay needs, in the order of their numbers.
  const std::vector<LinkId>& originals() const { return originals_; }
  /// A link of the topology.
  const Link& real(LinkId link) const { return topology_.link(link); }
  /// Starts to append the links that calls ask for to `asked`, in order; null stops.
  void record(std::vector<LinkId>* asked) { asked_ = asked; }
  /// The full capacity of a link of the replay.
  BytesPerSecond capacity(std::uint32_t link) const {
    return topology_.link(originals_[link]).capacity;
  }
  /// The links of the replay at full capacity.
  std::vector<MachineLink> links() const;

private:
  MachineRoute::Hop number(LinkId original, std::uint32_t times);
  /// The GPU that the bytes reach next after hop `from` of their route.
  RankId next_stop(const Route& route, std::size_t from) const;
  /// Number of ranks of a stage that share the link.
  std::uint32_t times(LinkId link, std::int64_t stage);

  const ReplayLayout& layout_;
  const ParallelPlan& plan_;
  const Topology& topology_;
  std::vector<std::uint32_t> alike_; ///< by LinkId: number of links of the class whose first link
                                     ///< it is
  std::map<std::pair<LinkId, std::int64_t>, std::uint32_t> times_; ///< counts made so far
  /// Topologies that are not regular: the link that represents those of its kind, by stage.
  std::map<std::pair<std::int64_t, LinkKind>, LinkId> stage_links_;
  std::map<LinkId, std::uint32_t> index_;
  std::vector<LinkId> originals_;
  std::vector<LinkId>* asked_ = nullptr;
};

} // namespace moesim
