#include "sim/replay/rank_classes.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/rank_flows.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace moesim {

namespace {

/// Most links on the routes of all flows: 32 MiB of memory.
constexpr std::int64_t hops_max = std::int64_t{1} << 23;

/// A flow of a collective or transfer, and the end of its links in the list of all hops.
struct PatternFlow {
  RankId source{};
  RankId sink{};
  std::uint32_t pattern = 0; ///< number of the collective, kind of group and phase
  std::uint32_t ring = 0;    ///< number of the ring; 0: none
  std::uint32_t hops_end = 0;
};

/// A hash of two numbers (the finaliser of SplitMix64, public domain,
/// prng.di.unimi.it/splitmix64.c). Sums of hashes represent multisets. Among a million different
/// multisets, the probability that any two have equal sums is below 1e-6.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t mixed = a * 0x9e3779b97f4a7c15U + b + 0x632be59bd9b4e019U;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31U);
}

/// A lower bound of the links on the routes of all flows.
std::int64_t least_hops(const ParallelPlan& plan, const Topology& topology) {
  // Each expert-parallel rank sends to each other: over 2 links in its domain, over 4 outside.
  const std::int64_t inside = std::min(plan.expert, topology.domain_gpus()) - 1;
  return plan.gpus * (2 * inside + 4 * (plan.expert - 1 - inside));
}

/// The stages that a rank of a stage may send to: the next, the previous, and the other holder of
/// its virtual stages.
std::set<std::int64_t> counterpart_stages(const ParallelPlan& plan, std::int64_t stage) {
  std::set<std::int64_t> others = {stage - 1, stage + 1, 0, plan.pipeline - 1};
  if (plan.holders() > 1)
    others.insert(plan.pipeline - 1 - stage);
  std::erase_if(others, [&](std::int64_t other) {
    return other < 0 || other >= plan.pipeline || other == stage;
  });
  return others;
}

/// The flows of all collectives and transfers of a step. With a symmetry, only those that ranks of
/// the first block of the first stage send, with their ends and links moved into that block. They
/// give the same classes: every stage has the same flows, moved by whole stages, and each rank of a
/// stage has the same number of transfers between stages.
class PatternFlows {
public:
  PatternFlows(const ParallelPlan& plan, const Topology& topology,
               const std::optional<BlockSymmetry>& symmetry)
      : plan_(plan), topology_(topology), symmetry_(symmetry),
        stages_(symmetry ? 1 : plan.pipeline),
        ranks_(symmetry ? symmetry->block() : plan.stage_ranks()),
        hop_count_(least_hops(plan, topology)) {
    if (too_many())
      return;
    hop_count_ = 0;
    number_links();
    std::vector<Collective> rings = {Collective::all_reduce};
    if (topology.spec().node.in_switch_reduction)
      rings.push_back(Collective::all_reduce_in_switch);
    for (const GroupKind group : enumerators<GroupKind>)
      if (group == GroupKind::expert) {
        add(group, Collective::all_to_all);
        add(group, Collective::two_phase_all_to_all);
        add(group, Collective::dispatch);
      } else {
        for (const Collective ring : rings)
          add(group, ring);
      }
    if (plan.pipeline > 1)
      add_transfers();
  }

  bool too_many() const { return hop_count_ > hops_max; }
  const std::vector<PatternFlow>& flows() const { return flows_; }
  /// Link numbers of all flows, one flow after the other.
  const std::vector<std::uint32_t>& hops() const { return hops_; }
  std::size_t rings() const { return rings_; }
  /// Number of ranks of a stage, or of its first block.
  std::int64_t ranks() const { return ranks_; }
  /// The links that flows may load, by number.
  const std::vector<LinkId>& links() const { return links_; }
  std::uint32_t number_of(LinkId link) const { return numbers_[index(link)]; }

private:
  /// Numbers the links, or those of the first block of the first stage, in their order.
  void number_links() {
    numbers_.resize(topology_.links(), 0);
    if (!symmetry_)
      for (std::uint32_t number = 0; number < topology_.links(); ++number)
        links_.push_back(LinkId(number));
    else
      for (const LinkKind kind : topology_.own_kinds())
        for (std::uint32_t rank = 0; rank < ranks_; ++rank)
          links_.push_back(topology_.own_link(RankId(rank), kind));
    std::sort(links_.begin(), links_.end());
    links_.erase(std::unique(links_.begin(), links_.end()), links_.end());
    for (std::uint32_t number = 0; number < links_.size(); ++number)
      numbers_[index(links_[number])] = number;
  }

  void add(GroupKind kind, Collective collective) {
    CollectiveWork work{.kind = collective, .group = kind, .bytes = Bytes{1}};
    work.fan_out = {1, 1, 1, 1};
    for (std::int64_t stage = 0; stage < stages_ && !too_many(); ++stage)
      for (std::vector<RankId>& ranks : groups_of_stage(plan_, kind, stage)) {
        const std::size_t senders = members_in_first_block(symmetry_, ranks);
        if (too_many() || senders == 0)
          continue;
        const CollectiveFlows flows(work, std::move(ranks), topology_);
        const std::uint32_t ring = kind == GroupKind::expert ? 0 : ++rings_;
        for (std::size_t phase = 0; phase < flows.phases() && !too_many(); ++phase)
          add(flows, senders, phase, ring);
      }
    pattern_ += 2;
  }

  /// Adds the flows that the first `senders` ranks of a group send.
  void add(const CollectiveFlows& group, std::size_t senders, std::size_t phase,
           std::uint32_t ring) {
    const std::int64_t represented = symmetry_ ? symmetry_->blocks() * plan_.pipeline : 1;
    for (std::size_t position = 0; position < senders; ++position) {
      sent_.clear();
      group.append(phase, position, sent_);
      for (const RankFlow& flow : sent_)
        add(flow, pattern_ + static_cast<std::uint32_t>(phase), represented, ring);
    }
  }

  /// Adds the transfers of each rank to the rank at the same position in other stages.
  void add_transfers() {
    std::int64_t pairs = 0; // pairs of stages
    for (std::int64_t stage = 0; stage < plan_.pipeline; ++stage)
      pairs += std::ssize(counterpart_stages(plan_, stage));
    const auto add_pair = [&](std::int64_t source, std::int64_t sink, std::int64_t represented) {
      add({RankId(static_cast<std::uint32_t>(source)), RankId(static_cast<std::uint32_t>(sink))},
          pattern_, represented, 0);
    };
    for (std::int64_t position = 0; symmetry_ && position < ranks_; ++position)
      add_pair(position, position + plan_.stage_ranks(), symmetry_->blocks() * pairs);
    for (std::int64_t stage = 0; !symmetry_ && stage < stages_; ++stage)
      for (const std::int64_t other : counterpart_stages(plan_, stage))
        for (std::int64_t position = 0; position < ranks_ && !too_many(); ++position)
          add_pair(stage * ranks_ + position, other * ranks_ + position, 1);
  }

  /// Adds a flow that represents `represented` flows.
  void add(const RankFlow& flow, std::uint32_t pattern, std::int64_t represented,
           std::uint32_t ring) {
    find_route(topology_, flow, route_);
    for (const RouteHop& hop : route_)
      hops_.push_back(number_of(stand_in(hop.link)));
    hop_count_ += std::ssize(route_) * represented;
    flows_.push_back({stand_in(flow.source), stand_in(flow.sink), pattern, ring,
                      static_cast<std::uint32_t>(hops_.size())});
  }

  /// The counterpart of a rank, or of a link, in the first block of the first stage.
  RankId stand_in(RankId rank) const {
    return symmetry_ ? RankId(index(rank) % static_cast<std::uint32_t>(ranks_)) : rank;
  }
  LinkId stand_in(LinkId link) const {
    return symmetry_ ? symmetry_->in_first_block(symmetry_->in_stage(link, 0)) : link;
  }

  const ParallelPlan& plan_;
  const Topology& topology_;
  const std::optional<BlockSymmetry>& symmetry_;
  std::int64_t stages_; ///< number of stages whose flows are added
  std::int64_t ranks_;
  std::int64_t hop_count_; ///< links on the routes of all flows
  std::uint32_t pattern_ = 0;
  std::uint32_t rings_ = 0;
  Route route_;
  std::vector<RankFlow> sent_;
  std::vector<PatternFlow> flows_;
  std::vector<std::uint32_t> hops_;
  std::vector<LinkId> links_;
  std::vector<std::uint32_t> numbers_; ///< by LinkId
};

/// Splits classes until all members of each have the same flows.
class Refinement {
public:
  Refinement(const ParallelPlan& plan, const Topology& topology,
             const std::optional<BlockSymmetry>& symmetry, const ClassRules& rules)
      : plan_(plan), topology_(topology), symmetry_(symmetry),
        rings_together_(rules.rings_together), flows_(plan, topology, symmetry) {
    positions_.resize(static_cast<std::size_t>(flows_.ranks()), 0);
    for (std::uint32_t position = 0; position < positions_.size() && !rules.experts_alike;
         ++position)
      positions_[position] = static_cast<std::size_t>(plan.expert_rank(RankId(position)));
    std::map<std::tuple<LinkKind, double, double>, std::size_t> known;
    for (const LinkId id : flows_.links()) {
      const Link& link = topology.link(id);
      links_.push_back(
          known.try_emplace({link.kind, link.capacity.value, link.latency.value}, known.size())
              .first->second);
    }
  }

  /// False if there are more than `classes_max` classes, or too many flows.
  bool refine(std::size_t classes_max) {
    if (flows_.too_many())
      return false;
    position_count_ = split(positions_, std::vector<std::uint64_t>(positions_.size()));
    for (std::size_t before = 0; before != position_count_ + link_count_;) {
      if (position_count_ > classes_max)
        return false;
      before = position_count_ + link_count_;
      look();
    }
    return true;
  }

  RankClasses result() const {
    RankClasses classes;
    classes.count = static_cast<std::uint32_t>(position_count_);
    for (std::size_t position = 0; position < static_cast<std::size_t>(plan_.stage_ranks());
         ++position)
      classes.class_of_position.push_back(
          static_cast<std::uint32_t>(positions_[position % positions_.size()]));
    classes.first_alike = symmetry_ ? first_alike_of_blocks() : first_alike();
    return classes;
  }

private:
  /// The first link of each class, by class, among the links of `flows_`.
  std::vector<LinkId> first_of_class() const {
    std::vector<LinkId> first(link_count_);
    for (std::size_t link = links_.size(); link-- > 0;)
      first[links_[link]] = flows_.links()[link];
    return first;
  }

  std::vector<LinkId> first_alike() const {
    const std::vector<LinkId> first = first_of_class();
    std::vector<LinkId> alike;
    for (const std::size_t of : links_)
      alike.push_back(first[of]);
    return alike;
  }

  /// The same for all links, from those of one block. Links of different stages are in different
  /// classes, except for links without load.
  std::vector<LinkId> first_alike_of_blocks() const {
    const std::vector<LinkId> first = first_of_class();
    std::vector<bool> loaded(link_count_, false);
    for (const std::uint32_t hop : flows_.hops())
      loaded[links_[hop]] = true;
    std::vector<std::vector<LinkId>> in_stage(static_cast<std::size_t>(plan_.pipeline), first);
    for (std::int64_t stage = 0; stage < plan_.pipeline; ++stage)
      for (std::size_t of = 0; of < first.size(); ++of)
        if (loaded[of])
          in_stage[static_cast<std::size_t>(stage)][of] = symmetry_->in_stage(first[of], stage);
    std::vector<LinkId> alike(topology_.links());
    for (const LinkKind kind : topology_.own_kinds()) {
      std::vector<std::size_t> of_block;
      for (std::int64_t position = 0; position < symmetry_->block(); ++position)
        of_block.push_back(
            links_[flows_.number_of(topology_.own_link(rank_at(0, position), kind))]);
      std::size_t rank = 0;
      for (const std::vector<LinkId>& first_in_stage : in_stage)
        for (std::int64_t block = 0; block < symmetry_->blocks(); ++block)
          for (const std::size_t of : of_block)
            alike[index(topology_.own_link(RankId(static_cast<std::uint32_t>(rank++)), kind))] =
                first_in_stage[of];
    }
    return alike;
  }

  RankId rank_at(std::int64_t stage, std::int64_t position) const {
    return RankId(static_cast<std::uint32_t>(stage * plan_.stage_ranks() + position));
  }

  /// Splits the classes of positions and links by the signatures of their flows.
  void look() {
    std::vector<std::uint64_t> seen_by_position(positions_.size());
    std::vector<std::uint64_t> seen_by_link(links_.size());
    const std::vector<std::uint64_t> rings =
        rings_together_ ? sums_of_rings() : std::vector<std::uint64_t>{};
    std::uint32_t hop = 0;
    for (const PatternFlow& flow : flows_.flows()) {
      const std::uint64_t signature = rings_together_ && flow.ring > 0
                                          ? mix(flow.pattern, rings[flow.ring])
                                          : signature_of(flow, hop);
      for (; hop < flow.hops_end; ++hop)
        seen_by_link[flows_.hops()[hop]] += signature;
      seen_by_position[index(flow.source) % positions_.size()] += mix(signature, 1);
      seen_by_position[index(flow.sink) % positions_.size()] += mix(signature, 2);
    }
    position_count_ = split(positions_, seen_by_position);
    link_count_ = split(links_, seen_by_link);
  }

  /// The signature of a flow, whose links start at `hop`: its pattern and the classes of its ends
  /// and links.
  std::uint64_t signature_of(const PatternFlow& flow, std::uint32_t hop) const {
    std::uint64_t signature = mix(flow.pattern, class_of(flow.source));
    signature = mix(signature, class_of(flow.sink));
    for (; hop < flow.hops_end; ++hop)
      signature = mix(signature, links_[flows_.hops()[hop]]);
    return signature;
  }

  /// The sum of the signatures of each ring.
  std::vector<std::uint64_t> sums_of_rings() const {
    std::vector<std::uint64_t> sums(flows_.rings() + 1);
    std::uint32_t hop = 0;
    for (const PatternFlow& flow : flows_.flows()) {
      if (flow.ring > 0)
        sums[flow.ring] += signature_of(flow, hop);
      hop = flow.hops_end;
    }
    return sums;
  }

  /// The class of a rank: its stage and the class of its position.
  std::uint64_t class_of(RankId rank) const {
    return mix(index(rank) / positions_.size(), positions_[index(rank) % positions_.size()]);
  }

  /// Renumbers classes by the old class and the signature sum. Returns the number of classes.
  static std::size_t split(std::vector<std::size_t>& classes,
                           const std::vector<std::uint64_t>& seen) {
    std::map<std::pair<std::size_t, std::uint64_t>, std::size_t> known;
    for (std::size_t i = 0; i < classes.size(); ++i)
      classes[i] = known.try_emplace({classes[i], seen[i]}, known.size()).first->second;
    return known.size();
  }

  const ParallelPlan& plan_;
  const Topology& topology_;
  const std::optional<BlockSymmetry>& symmetry_;
  bool rings_together_;
  PatternFlows flows_;
  std::vector<std::size_t> positions_; ///< class by position in a stage, or in its first block
  std::vector<std::size_t> links_;     ///< class by link number
  std::size_t position_count_ = 0;
  std::size_t link_count_ = 0;
};

} // namespace

std::optional<RankClasses> find_rank_classes(const ParallelPlan& plan, const Topology& topology,
                                             const ClassRules& rules,
                                             const std::optional<BlockSymmetry>& symmetry) {
  INVARIANT(topology.regular(), "classes of {} ranks whose routes differ", plan.gpus);
  if (!rules.experts_alike && static_cast<std::size_t>(plan.expert) > rules.classes_max)
    return std::nullopt; // a fast test: each rank of the group is a class
  Refinement refinement(plan, topology, symmetry, rules);
  if (!refinement.refine(rules.classes_max))
    return std::nullopt;
  return refinement.result();
}

} // namespace moesim
