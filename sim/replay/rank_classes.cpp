#include "sim/replay/rank_classes.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/rank_flows.hpp"

#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace moesim {

namespace {

/// So many links on the routes of all flows take 32 MiB.
constexpr std::size_t hops_max = std::size_t{1} << 23;

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

/// The flows that a step may consist of.
class PatternFlows {
public:
  PatternFlows(const ParallelPlan& plan, const Topology& topology)
      : plan_(plan), topology_(topology) {
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
    add_transfers();
  }

  bool too_many() const { return hops_.size() > hops_max; }
  const std::vector<PatternFlow>& flows() const { return flows_; }
  const std::vector<LinkId>& hops() const { return hops_; }
  std::size_t rings() const { return rings_; }

private:
  void add(GroupKind kind, Collective collective) {
    CollectiveWork work{.kind = collective, .group = kind, .bytes = Bytes{1}};
    work.fan_out = {1, 1, 1, 1};
    for (std::int64_t stage = 0; stage < plan_.pipeline; ++stage)
      for (std::vector<RankId>& ranks : groups_of_stage(plan_, kind, stage)) {
        const CollectiveFlows flows(work, std::move(ranks), topology_);
        const std::uint32_t ring = kind == GroupKind::expert ? 0 : ++rings_;
        for (std::size_t phase = 0; phase < flows.phases() && !too_many(); ++phase)
          for (const RankFlow& flow : flows.all(phase))
            add(flow, pattern_ + static_cast<std::uint32_t>(phase), ring);
      }
    pattern_ += 2;
  }

  /// Each rank to the one at its place in every stage that it may send to: the next, the one
  /// before, and the one with the same parameters.
  void add_transfers() {
    const std::int64_t step = plan_.stage_ranks();
    for (std::int64_t rank = 0; rank < plan_.gpus && !too_many(); ++rank) {
      const std::int64_t stage = rank / step;
      std::set<std::int64_t> others = {stage - 1, stage + 1, 0, plan_.pipeline - 1};
      if (plan_.copies() > 1)
        others.insert(plan_.pipeline - 1 - stage);
      for (const std::int64_t other : others)
        if (other >= 0 && other < plan_.pipeline && other != stage)
          add({RankId(static_cast<std::uint32_t>(rank)),
               RankId(static_cast<std::uint32_t>(rank + (other - stage) * step))},
              pattern_);
    }
  }

  void add(const RankFlow& flow, std::uint32_t pattern, std::uint32_t ring = 0) {
    find_route(topology_, flow, route_);
    for (const RouteHop& hop : route_)
      hops_.push_back(hop.link);
    flows_.push_back(
        {flow.source, flow.sink, pattern, ring, static_cast<std::uint32_t>(hops_.size())});
  }

  const ParallelPlan& plan_;
  const Topology& topology_;
  std::uint32_t pattern_ = 0;
  std::uint32_t rings_ = 0;
  Route route_;
  std::vector<PatternFlow> flows_;
  std::vector<LinkId> hops_; ///< of all flows, one after the other
};

/// Splits classes until all of one see the same.
class Refinement {
public:
  Refinement(const ParallelPlan& plan, const Topology& topology, bool experts_alike,
             bool rings_together)
      : ranks_(static_cast<std::size_t>(plan.stage_ranks())), rings_together_(rings_together),
        flows_(plan, topology) {
    places_.resize(ranks_, 0);
    for (std::uint32_t place = 0; place < ranks_ && !experts_alike; ++place)
      places_[place] = static_cast<std::size_t>(plan.expert_rank(RankId(place)));
    std::map<std::tuple<LinkKind, double, double>, std::size_t> known;
    for (std::uint32_t number = 0; number < topology.links(); ++number) {
      const Link& link = topology.link(LinkId(number));
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
    classes.class_of_place.assign(places_.begin(), places_.end());
    std::map<std::size_t, LinkId> first;
    for (std::uint32_t link = 0; link < links_.size(); ++link)
      classes.first_alike.push_back(first.try_emplace(links_[link], LinkId(link)).first->second);
    return classes;
  }

private:
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
        seen_by_link[index(flows_.hops()[hop])] += signature;
      seen_by_place[index(flow.source) % ranks_] += mix(signature, 1);
      seen_by_place[index(flow.sink) % ranks_] += mix(signature, 2);
    }
    place_count_ = split(places_, seen_by_place);
    link_count_ = split(links_, seen_by_link);
  }

  /// By what a flow, whose links start at `hop`, is seen.
  std::uint64_t signature_of(const PatternFlow& flow, std::uint32_t hop) const {
    std::uint64_t signature = mix(flow.pattern, class_of(flow.source));
    signature = mix(signature, class_of(flow.sink));
    for (; hop < flow.hops_end; ++hop)
      signature = mix(signature, links_[index(flows_.hops()[hop])]);
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
    return mix(index(rank) / ranks_, places_[index(rank) % ranks_]);
  }

  /// Numbers classes anew by what they were and what they have seen; how many there are.
  static std::size_t split(std::vector<std::size_t>& classes,
                           const std::vector<std::uint64_t>& seen) {
    std::map<std::pair<std::size_t, std::uint64_t>, std::size_t> known;
    for (std::size_t i = 0; i < classes.size(); ++i)
      classes[i] = known.try_emplace({classes[i], seen[i]}, known.size()).first->second;
    return known.size();
  }

  std::size_t ranks_; ///< of a stage
  bool rings_together_;
  PatternFlows flows_;
  std::vector<std::size_t> places_; ///< class by place in a stage
  std::vector<std::size_t> links_;  ///< class by LinkId
  std::size_t place_count_ = 0;
  std::size_t link_count_ = 0;
};

} // namespace

std::optional<RankClasses> find_rank_classes(const ParallelPlan& plan, const Topology& topology,
                                             bool experts_alike, std::size_t classes_max,
                                             bool rings_together) {
  INVARIANT(topology.regular(), "classes of {} ranks whose routes differ", plan.gpus);
  if (!experts_alike && static_cast<std::size_t>(plan.expert) > classes_max)
    return std::nullopt; // quick to tell
  Refinement refinement(plan, topology, experts_alike, rings_together);
  if (!refinement.refine(classes_max))
    return std::nullopt;
  return refinement.result();
}

} // namespace moesim
