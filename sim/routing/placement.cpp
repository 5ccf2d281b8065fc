#include "sim/routing/placement.hpp"

#include "sim/base/check.hpp"
#include "sim/routing/eplb.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

namespace moesim {

namespace {

std::int64_t count_of(const auto& items) {
  return static_cast<std::int64_t>(items.size());
}

std::size_t index_of(std::int64_t number) {
  return static_cast<std::size_t>(number);
}

std::int64_t slots_of(const PlacementRequest& request) {
  return (request.experts + request.redundant) / request.ranks;
}

/// Number of times that a rank with `slots` slots may have to hold one expert.
std::int64_t repeats_max(std::int64_t slots, std::int64_t experts) {
  return (slots + experts - 1) / experts;
}

void check_slots(const PlacementRequest& request) {
  const std::int64_t over = (request.experts + request.redundant) % request.ranks;
  if (over == 0)
    return;
  const std::int64_t fewer = request.redundant - over;
  const std::int64_t more = fewer + request.ranks;
  const bool take_fewer = fewer >= 0 && over <= request.ranks - over;
  throw std::invalid_argument(fmt::format(
      "{} experts and {} redundant slots do not spread evenly over {} ranks; the nearest "
      "number of redundant slots that does is {}",
      request.experts, request.redundant, request.ranks, take_fewer ? fewer : more));
}

void check_request(const PlacementRequest& request) {
  if (request.experts < 1 || request.ranks < 1 || request.ranks_per_domain < 1)
    throw std::invalid_argument(
        fmt::format("{} experts on {} ranks, {} of them a domain: each must be 1 or more",
                    request.experts, request.ranks, request.ranks_per_domain));
  if (request.redundant < 0 || request.expert_groups < 0)
    throw std::invalid_argument(
        fmt::format("{} redundant slots, {} groups of experts: neither may be below 0",
                    request.redundant, request.expert_groups));
  if (request.expert_groups > 1 && request.experts % request.expert_groups != 0)
    throw std::invalid_argument(fmt::format("{} experts do not fall into {} groups of one size",
                                            request.experts, request.expert_groups));
  check_slots(request);
}

void check_loads(const std::vector<double>& loads, std::int64_t experts) {
  if (count_of(loads) != experts)
    throw std::invalid_argument(
        fmt::format("{} loads for {} experts: there must be one each", loads.size(), experts));
  for (const double load : loads)
    if (!std::isfinite(load) || load < 0.0)
      throw std::invalid_argument(
          fmt::format("the load of an expert is {}: it must be finite and not below 0", load));
}

/// Ranks of a domain, at most those of the group.
std::int64_t domain_ranks(const PlacementRequest& request) {
  return std::min(request.ranks_per_domain, request.ranks);
}

/// Appends the items of packs, pack by pack.
void append(std::vector<std::int64_t>& expert_of_slot, const Packs& packs) {
  for (std::int64_t pack = 0; pack < packs.count(); ++pack)
    for (const PackItem& item : packs.items(pack))
      expert_of_slot.push_back(item.id);
}

/// Fills free slots with replicas of the busiest experts; see place_experts.
class FreeSlots {
public:
  FreeSlots(const PlacementRequest& request, const std::vector<double>& loads)
      : loads_(loads), held_(index_of(request.ranks)), replicas_(loads.size(), 0),
        slots_(index_of(slots_of(request))),
        repeats_max_(repeats_max(slots_of(request), request.experts)) {}

  void hold(std::int64_t rank, std::int64_t expert) {
    held_[index_of(rank)].push_back(expert);
    replicas_[index_of(expert)] += 1;
  }
  void fill(std::int64_t replicas) {
    for (; replicas > 0; --replicas) {
      const std::int64_t expert = busiest();
      hold(least_loaded(expert), expert);
    }
  }
  std::vector<std::int64_t> expert_of_slot() const {
    std::vector<std::int64_t> experts;
    for (const std::vector<std::int64_t>& held : held_)
      experts.insert(experts.end(), held.begin(), held.end());
    return experts;
  }

private:
  double load_per_replica(std::int64_t expert) const {
    return loads_[index_of(expert)] / static_cast<double>(replicas_[index_of(expert)]);
  }
  bool accepts(std::int64_t rank, std::int64_t expert) const {
    const std::vector<std::int64_t>& held = held_[index_of(rank)];
    return held.size() < slots_ && std::count(held.begin(), held.end(), expert) < repeats_max_;
  }
  /// The rank for a replica; -1 if no rank accepts it.
  std::int64_t least_loaded(std::int64_t expert) const {
    std::int64_t best = -1;
    double best_load = 0.0;
    for (std::int64_t rank = 0; rank < count_of(held_); ++rank) {
      if (!accepts(rank, expert))
        continue;
      double load = 0.0;
      for (const std::int64_t held : held_[index_of(rank)])
        load += load_per_replica(held);
      if (best < 0 || load < best_load) {
        best = rank;
        best_load = load;
      }
    }
    return best;
  }
  /// The expert with the highest load per replica that some rank accepts. One exists while a slot
  /// is free: a rank that accepts no expert holds each `repeats_max_` times, which fills all its
  /// slots.
  std::int64_t busiest() const {
    std::int64_t best = -1;
    for (std::int64_t expert = 0; expert < count_of(loads_); ++expert)
      if ((best < 0 || load_per_replica(expert) > load_per_replica(best)) &&
          least_loaded(expert) >= 0)
        best = expert;
    INVARIANT(best >= 0, "no expert fits into the free slots of {} ranks", held_.size());
    return best;
  }

  const std::vector<double>& loads_;
  std::vector<std::vector<std::int64_t>> held_; ///< experts by rank
  std::vector<std::int64_t> replicas_;          ///< by expert
  std::size_t slots_;                           ///< slots of a rank
  std::int64_t repeats_max_;
};

std::vector<std::int64_t> place_in_order(const PlacementRequest& request,
                                         const std::vector<double>& loads) {
  FreeSlots slots(request, loads);
  for (std::int64_t rank = 0; rank < request.ranks; ++rank) {
    if (request.kind == PlacementKind::contiguous)
      for (std::int64_t expert = rank * request.experts / request.ranks;
           expert < (rank + 1) * request.experts / request.ranks; ++expert)
        slots.hold(rank, expert);
    else
      for (std::int64_t expert = rank; expert < request.experts; expert += request.ranks)
        slots.hold(rank, expert);
  }
  slots.fill(request.redundant);
  return slots.expert_of_slot();
}

/// Number of scale-up domains of the group; nothing if their sizes differ.
std::optional<std::int64_t> equal_domains(const PlacementRequest& request) {
  if (request.ranks % domain_ranks(request) != 0)
    return std::nullopt;
  return request.ranks / domain_ranks(request);
}

std::vector<std::int64_t> place_by_load(const PlacementRequest& request,
                                        const std::vector<double>& loads) {
  const bool equal = equal_domains(request).has_value();
  const std::int64_t nodes = equal_domains(request).value_or(1);
  const std::int64_t groups = std::max<std::int64_t>(request.expert_groups, 1);
  return eplb({.slots = request.experts + request.redundant,
               .groups = equal ? groups : 1,
               .nodes = nodes,
               .gpus = request.ranks},
              loads);
}

/// sent[domain][expert]: the tokens of a domain's ranks.
TokensBySource by_domain(const TokensBySource& tokens, std::int64_t ranks_per_domain) {
  TokensBySource sent;
  for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
    if (rank % index_of(ranks_per_domain) == 0)
      sent.emplace_back(tokens[rank].size(), 0.0);
    for (std::size_t expert = 0; expert < tokens[rank].size(); ++expert)
      sent.back()[expert] += tokens[rank][expert];
  }
  return sent;
}

/// Tokens, by expert, that each replica keeps in its best domain, the one that sends it most,
/// beyond those that it would keep in its second best.
std::vector<double> advantage_of_best(const TokensBySource& sent,
                                      const std::vector<PackItem>& replicas) {
  std::vector<double> counts(sent.front().size(), 0.0);
  for (const PackItem& replica : replicas)
    counts[index_of(replica.id)] += 1.0;
  std::vector<double> advantage;
  for (std::size_t expert = 0; expert < counts.size(); ++expert) {
    std::vector<double> column;
    for (const std::vector<double>& domain : sent)
      column.push_back(domain[expert]);
    std::sort(column.rbegin(), column.rend());
    const double second = column.size() > 1 ? column[1] : 0.0;
    advantage.push_back((column[0] - second) / counts[expert]);
  }
  return advantage;
}

/// Assigns replicas to domains, near the ranks that send to them.
Packs choose_domains(const TokensBySource& sent, std::vector<PackItem> replicas, Packs domains) {
  const std::vector<double> advantage = advantage_of_best(sent, replicas);
  std::stable_sort(replicas.begin(), replicas.end(), [&](const PackItem& a, const PackItem& b) {
    const double more = advantage[index_of(a.id)] - advantage[index_of(b.id)];
    return more != 0.0 ? more > 0.0 : a.load > b.load;
  });
  for (const PackItem& replica : replicas) {
    std::int64_t best = -1;
    const auto is_better = [&](std::int64_t domain) {
      const double more =
          sent[index_of(domain)][index_of(replica.id)] - sent[index_of(best)][index_of(replica.id)];
      return more != 0.0 ? more > 0.0 : domains.load(domain) < domains.load(best);
    };
    for (std::int64_t domain = 0; domain < domains.count(); ++domain)
      if (domains.accepts(domain, replica.id) && (best < 0 || is_better(domain)))
        best = domain;
    if (best < 0)
      domains.add_by_exchange(replica);
    else
      domains.add(best, replica);
  }
  return domains;
}

std::vector<std::int64_t> place_near_sources(const PlacementRequest& request,
                                             const std::vector<double>& loads,
                                             const TokensBySource& tokens) {
  const std::int64_t ranks = domain_ranks(request);
  if (request.ranks % ranks != 0)
    throw std::invalid_argument(fmt::format(
        "{} ranks are not in whole scale-up domains of {}: a topology-aware placement needs that",
        request.ranks, ranks));
  const std::int64_t alike = repeats_max(slots_of(request), request.experts);
  const Packs domains = choose_domains(
      by_domain(tokens, ranks),
      replicate_experts(loads, request.experts + request.redundant, alike * request.ranks),
      Packs(request.ranks / ranks, ranks * slots_of(request), ranks * alike));
  std::vector<std::int64_t> expert_of_slot;
  for (std::int64_t domain = 0; domain < domains.count(); ++domain)
    append(expert_of_slot, pack_evenly(domains.items(domain), ranks, alike));
  return expert_of_slot;
}

} // namespace

std::int64_t Placement::slots_per_rank() const {
  return count_of(expert_of_slot) / ranks;
}

std::vector<std::int64_t> Placement::replicas(std::int64_t experts) const {
  std::vector<std::int64_t> counts(index_of(experts), 0);
  for (const std::int64_t expert : expert_of_slot)
    counts[index_of(expert)] += 1;
  return counts;
}

Placement place_experts(const PlacementRequest& request, const std::vector<double>& loads) {
  check_request(request);
  check_loads(loads, request.experts);
  switch (request.kind) {
  case PlacementKind::contiguous:
  case PlacementKind::round_robin:
    return {request.ranks, place_in_order(request, loads)};
  case PlacementKind::load_aware:
    return {request.ranks, place_by_load(request, loads)};
  case PlacementKind::topology_aware:
    break;
  }
  // Every source sends the loads: their scale has no effect, only differences between sources.
  const TokensBySource alike(index_of(request.ranks), loads);
  return {request.ranks, place_near_sources(request, loads, alike)};
}

Placement place_experts(const PlacementRequest& request, const TokensBySource& tokens) {
  check_request(request);
  if (count_of(tokens) != request.ranks)
    throw std::invalid_argument(fmt::format(
        "tokens of {} sources for {} ranks: each must have its own", tokens.size(), request.ranks));
  std::vector<double> loads(index_of(request.experts), 0.0);
  for (const std::vector<double>& row : tokens) {
    check_loads(row, request.experts);
    std::transform(row.begin(), row.end(), loads.begin(), loads.begin(), std::plus<>());
  }
  if (request.kind != PlacementKind::topology_aware)
    return place_experts(request, loads);
  return {request.ranks, place_near_sources(request, loads, tokens)};
}

bool keeps_groups_in_domains(const PlacementRequest& request) {
  if (request.ranks <= request.ranks_per_domain)
    return true;
  switch (request.kind) {
  case PlacementKind::contiguous:
    return request.redundant == 0;
  case PlacementKind::load_aware:
    return equal_domains(request) && request.expert_groups % *equal_domains(request) == 0;
  case PlacementKind::round_robin:
  case PlacementKind::topology_aware:
    break;
  }
  return false;
}

std::vector<double> rank_loads(const Placement& placement, const std::vector<double>& loads) {
  const std::vector<std::int64_t> replicas = placement.replicas(count_of(loads));
  std::vector<double> by_rank(index_of(placement.ranks), 0.0);
  for (std::size_t slot = 0; slot < placement.expert_of_slot.size(); ++slot) {
    const std::size_t expert = index_of(placement.expert_of_slot[slot]);
    by_rank[slot / index_of(placement.slots_per_rank())] +=
        loads[expert] / static_cast<double>(replicas[expert]);
  }
  return by_rank;
}

double tokens_leaving_domains(const Placement& placement, const TokensBySource& tokens,
                              std::int64_t ranks_per_domain) {
  INVARIANT(count_of(tokens) == placement.ranks, "{} sources, {} ranks", tokens.size(),
            placement.ranks);
  const TokensBySource sent = by_domain(tokens, ranks_per_domain);
  const std::vector<std::int64_t> replicas = placement.replicas(count_of(tokens.front()));
  const std::size_t slots_per_domain = index_of(placement.slots_per_rank() * ranks_per_domain);
  double leaving = 0.0;
  for (std::size_t slot = 0; slot < placement.expert_of_slot.size(); ++slot) {
    const std::size_t expert = index_of(placement.expert_of_slot[slot]);
    for (std::size_t domain = 0; domain < sent.size(); ++domain)
      if (domain != slot / slots_per_domain)
        leaving += sent[domain][expert] / static_cast<double>(replicas[expert]);
  }
  return leaving;
}

std::vector<std::int64_t> replicas_beyond_first(const Placement& placement, std::int64_t experts) {
  std::vector<bool> seen(index_of(experts), false);
  std::vector<std::int64_t> beyond(index_of(placement.ranks), 0);
  for (std::size_t slot = 0; slot < placement.expert_of_slot.size(); ++slot) {
    const std::size_t expert = index_of(placement.expert_of_slot[slot]);
    if (seen[expert])
      beyond[slot / index_of(placement.slots_per_rank())] += 1;
    seen[expert] = true;
  }
  return beyond;
}

std::vector<ReplicaRanks> ranks_of_replicas(const Placement& placement, std::int64_t experts) {
  std::vector<ReplicaRanks> found(index_of(experts));
  for (std::size_t slot = 0; slot < placement.expert_of_slot.size(); ++slot) {
    ReplicaRanks& replica = found[index_of(placement.expert_of_slot[slot])];
    const std::int64_t rank = static_cast<std::int64_t>(slot) / placement.slots_per_rank();
    replica.expert = placement.expert_of_slot[slot];
    if (replica.ranks.empty() || replica.ranks.back() != rank)
      replica.ranks.push_back(rank);
  }
  std::erase_if(found, [](const ReplicaRanks& replica) { return replica.ranks.size() < 2; });
  return found;
}

} // namespace moesim
