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

/// Links on the routes of all flows that are looked at, at most: 32 MiB of memory.
constexpr std::int64_t hops_max = std::int64_t{1} << 23;

/// A flow of some collective: where its links stand in the list of all.
struct PatternFlow {
  RankId source{};
  RankId sink{};
  std::uint32_t pattern = 0; ///< which collective of which kind of groups it is of
  std::uint32_t ring = 0;    ///< whose flows go together; 0: none
  std::uint32_t hops_end = 0;
};

/// A number that depends on all bits of two others (the finaliser of SplitMix64, public domain,
/// prng.di.unimi.it/splitmix64.c). Sums of it stand for multisets: two of a million differ, and
/// have equal sums, with a probability below 1e-6.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t mixed = a * 0x9e3779b97f4a7c15U + b + 0x632be59bd9b4e019U;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31U);
}

/// The links on the routes of all flows, at least.
std::int64_t least_hops(const ParallelPlan& plan, const Topology& topology) {
  // Each expert-parallel rank sends to each other: by two links in its domain, by four beyond.
  const std::int64_t inside = std::min(plan.expert, topology.domain_gpus()) - 1;
  return plan.gpus * (2 * inside + 4 * (plan.expert - 1 - inside));
}

/// The stages that a rank of a stage may send to: the next, the one before, and the one with the
/// same parameters.
std::set<std::int64_t> counterpart_stages(const ParallelPlan& plan, std::int64_t stage) {
  std::set<std::int64_t> others = {stage - 1, stage + 1, 0, plan.pipeline - 1};
  if (plan.holders() > 1)
    others.insert(plan.pipeline - 1 - stage);
  std::erase_if(others, [&](std::int64_t other) {
    return other < 0 || other >= plan.pipeline || other == stage;
  });
  return others;
}

/// The flows that a step may consist of. Where the plan repeats, only those that the ranks of the
/// first block of the first stage send, with their ends and links moved into that block. They show
/// the same classes: a stage sees what each other sees, moved by whole stages, and of transfers
/// between stages each rank of a stage has as many.
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
  /// Numbers of the links of all flows, one flow after the other.
  const std::vector<std::uint32_t>& hops() const { return hops_; }
  std::size_t rings() const { return rings_; }
  /// Places in a stage, or in its first block.
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
    const std::int64_t copies = symmetry_ ? symmetry_->blocks() * plan_.pipeline : 1;
    for (std::size_t position = 0; position < senders; ++position) {
      sent_.clear();
      group.append(phase, position, sent_);
      for (const RankFlow& flow : sent_)
        add(flow, pattern_ + static_cast<std::uint32_t>(phase), copies, ring);
    }
  }

  /// Each rank to the one at its place in other stages.
  void add_transfers() {
    std::int64_t pairs = 0; // of stages
    for (std::int64_t stage = 0; stage < plan_.pipeline; ++stage)
      pairs += std::ssize(counterpart_stages(plan_, stage));
    const auto add_pair = [&](std::int64_t source, std::int64_t sink, std::int64_t copies) {
      add({RankId(static_cast<std::uint32_t>(source)), RankId(static_cast<std::uint32_t>(sink))},
          pattern_, copies, 0);
    };
    for (std::int64_t place = 0; symmetry_ && place < ranks_; ++place)
      add_pair(place, place + plan_.stage_ranks(), symmetry_->blocks() * pairs);
    for (std::int64_t stage = 0; !symmetry_ && stage < stages_; ++stage)
      for (const std::int64_t other : counterpart_stages(plan_, stage))
        for (std::int64_t place = 0; place < ranks_ && !too_many(); ++place)
          add_pair(stage * ranks_ + place, other * ranks_ + place, 1);
  }

  /// Adds a flow that stands for `copies`.
  void add(const RankFlow& flow, std::uint32_t pattern, std::int64_t copies, std::uint32_t ring) {
    find_route(topology_, flow, route_);
    for (const RouteHop& hop : route_)
      hops_.push_back(number_of(stand_in(hop.link)));
    hop_count_ += std::ssize(route_) * copies;
    flows_.push_back({stand_in(flow.source), stand_in(flow.sink), pattern, ring,
                      static_cast<std::uint32_t>(hops_.size())});
  }

  /// The rank, or the link, whose flows show those of another.
  RankId stand_in(RankId rank) const {
    return symmetry_ ? RankId(index(rank) % static_cast<std::uint32_t>(ranks_)) : rank;
  }
  LinkId stand_in(LinkId link) const {
    return symmetry_ ? symmetry_->in_first_block(symmetry_->in_stage(link, 0)) : link;
  }

  const ParallelPlan& plan_;
  const Topology& topology_;
  const std::optional<BlockSymmetry>& symmetry_;
  std::int64_t stages_; ///< whose flows are added
  std::int64_t ranks_;
  std::int64_t hop_count_; ///< of all flows
  std::uint32_t pattern_ = 0;
  std::uint32_t rings_ = 0;
  Route route_;
  std::vector<RankFlow> sent_;
  std::vector<PatternFlow> flows_;
  std::vector<std::uint32_t> hops_;
  std::vector<LinkId> links_;
  std::vector<std::uint32_t> numbers_; ///< by LinkId
};

/// Splits classes until all of one see the same.
class Refinement {
public:
  Refinement(const ParallelPlan& plan, const Topology& topology,
             const std::optional<BlockSymmetry>& symmetry, const ClassRules& rules)
      : plan_(plan), topology_(topology), symmetry_(symmetry),
        rings_together_(rules.rings_together), flows_(plan, topology, symmetry) {
    places_.resize(static_cast<std::size_t>(flows_.ranks()), 0);
    for (std::uint32_t place = 0; place < places_.size() && !rules.experts_alike; ++place)
      places_[place] = static_cast<std::size_t>(plan.expert_rank(RankId(place)));
    std::map<std::tuple<LinkKind, double, double>, std::size_t> known;
    for (const LinkId id : flows_.links()) {
      const Link& link = topology.link(id);
      links_.push_back(
          known.try_emplace({link.kind, link.capacity.value, link.latency.value}, known.size())
              .first->second);
    }
  }

  /// False if there are too many.
  bool refine(std::size_t classes_max) {
    if (flows_.too_many())
      return false;
    place_count_ = split(places_, std::vector<std::uint64_t>(places_.size()));
    for (std::size_t before = 0; before != place_count_ + link_count_;) {
      if (place_count_ > classes_max)
        return false;
      before = place_count_ + link_count_;
      look();
    }
    return true;
  }

  RankClasses result() const {
    RankClasses classes;
    classes.count = static_cast<std::uint32_t>(place_count_);
    for (std::size_t place = 0; place < static_cast<std::size_t>(plan_.stage_ranks()); ++place)
      classes.class_of_place.push_back(static_cast<std::uint32_t>(places_[place % places_.size()]));
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

  /// The same for all links from those of one block. Stages differ, so the links of each are of
  /// classes of their own, but for those that carry nothing.
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
      for (std::int64_t place = 0; place < symmetry_->block(); ++place)
        of_block.push_back(links_[flows_.number_of(topology_.own_link(rank_at(0, place), kind))]);
      std::size_t rank = 0;
      for (const std::vector<LinkId>& first_in_stage : in_stage)
        for (std::int64_t block = 0; block < symmetry_->blocks(); ++block)
          for (const std::size_t of : of_block)
            alike[index(topology_.own_link(RankId(static_cast<std::uint32_t>(rank++)), kind))] =
                first_in_stage[of];
    }
    return alike;
  }

  RankId rank_at(std::int64_t stage, std::int64_t place) const {
    return RankId(static_cast<std::uint32_t>(stage * plan_.stage_ranks() + place));
  }

  /// Splits by what each place and link sees of the flows.
  void look() {
    std::vector<std::uint64_t> seen_by_place(places_.size());
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
      seen_by_place[index(flow.source) % places_.size()] += mix(signature, 1);
      seen_by_place[index(flow.sink) % places_.size()] += mix(signature, 2);
    }
    place_count_ = split(places_, seen_by_place);
    link_count_ = split(links_, seen_by_link);
  }

  /// By what a flow, whose links start at `hop`, is seen.
  std::uint64_t signature_of(const PatternFlow& flow, std::uint32_t hop) const {
    std::uint64_t signature = mix(flow.pattern, class_of(flow.source));
    signature = mix(signature, class_of(flow.sink));
    for (; hop < flow.hops_end; ++hop)
      signature = mix(signature, links_[flows_.hops()[hop]]);
    return signature;
  }

  /// The sums of the signatures of each ring.
  std::vector<std::uint64_t> sums_of_rings() const {
    std::vector<std::uint64_t> sums(flows_.rings() + 1);
    std::uint32_t hop = 0;
    for (const PatternFlow& flow : flows_.flows()) {
      sums[flow.ring] += signature_of(flow, hop);
      hop = flow.hops_end;
    }
    return sums;
  }

  /// Of a rank: its stage and the class of its place.
  std::uint64_t class_of(RankId rank) const {
    return mix(index(rank) / places_.size(), places_[index(rank) % places_.size()]);
  }

  /// Numbers classes anew by what they were and what they have seen; how many there are.
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
  std::vector<std::size_t> places_; ///< class by place in a stage, or in its first block
  std::vector<std::size_t> links_;  ///< class by number of a link
  std::size_t place_count_ = 0;
  std::size_t link_count_ = 0;
};

} // namespace

std::optional<RankClasses> find_rank_classes(const ParallelPlan& plan, const Topology& topology,
                                             const ClassRules& rules,
                                             const std::optional<BlockSymmetry>& symmetry) {
  INVARIANT(topology.regular(), "classes of {} ranks whose routes differ", plan.gpus);
  if (!rules.experts_alike && static_cast<std::size_t>(plan.expert) > rules.classes_max)
    return std::nullopt; // quick to tell
  Refinement refinement(plan, topology, symmetry, rules);
  if (!refinement.refine(rules.classes_max))
    return std::nullopt;
  return refinement.result();
}

} // namespace moesim
