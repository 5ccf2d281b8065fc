#include "sim/routing/expert_load.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

namespace moesim {

namespace {

/// Tokens by expert, summed over source ranks.
std::vector<std::int64_t> by_expert(const RoutingMatrix& matrix,
                                    const std::vector<std::uint32_t>& tokens) {
  std::vector<std::int64_t> sums(static_cast<std::size_t>(matrix.experts), 0);
  for (auto row = tokens.begin(); row != tokens.end(); row += matrix.experts)
    for (std::size_t expert = 0; expert < sums.size(); ++expert)
      sums[expert] += row[static_cast<std::ptrdiff_t>(expert)];
  return sums;
}

/// The slots of the placement that hold each expert.
std::vector<std::vector<std::size_t>> slots_of_experts(const RoutingMatrix& matrix,
                                                       const Placement& placement) {
  std::vector<std::vector<std::size_t>> slots(static_cast<std::size_t>(matrix.experts));
  for (std::size_t slot = 0; slot < placement.expert_of_slot.size(); ++slot)
    slots[static_cast<std::size_t>(placement.expert_of_slot[slot])].push_back(slot);
  return slots;
}

/// Tokens that ranks send each other, padding included.
struct SentTokens {
  std::vector<std::uint32_t> pairs; ///< by source, then by sink
  std::vector<std::int64_t> slots;  ///< by slot of the placement
};

SentTokens sent_tokens(const RoutingMatrix& matrix, const Placement& placement) {
  const auto ranks = static_cast<std::size_t>(matrix.sources);
  INVARIANT(placement.ranks == matrix.sources, "a placement for {} ranks, not {}", placement.ranks,
            matrix.sources);
  const std::vector<std::vector<std::size_t>> slots = slots_of_experts(matrix, placement);
  const auto slots_per_rank = static_cast<std::size_t>(placement.slots_per_rank());
  SentTokens sent{std::vector<std::uint32_t>(ranks * ranks, 0),
                  std::vector<std::int64_t>(placement.expert_of_slot.size(), 0)};
  auto tokens = matrix.kept.begin();
  for (std::size_t source = 0; source < ranks; ++source)
    for (const std::vector<std::size_t>& replicas : slots) {
      const auto count = static_cast<std::uint32_t>(replicas.size());
      const std::uint32_t carried = std::max(*tokens++, matrix.padded_to);
      for (std::uint32_t replica = 0; replica < count; ++replica) {
        const std::size_t slot = replicas[(source + replica) % count];
        const std::uint32_t part = carried / count + (replica < carried % count ? 1 : 0);
        sent.pairs[source * ranks + slot / slots_per_rank] += part;
        sent.slots[slot] += part;
      }
    }
  return sent;
}

/// By rank: tokens of its busiest slot over the mean of its slots, in sixteenths, so that equal
/// kernels of many micro-batches are recognised; 1 for a rank without tokens.
std::vector<double> busiest_over_mean(const std::vector<std::int64_t>& slots, std::size_t ranks) {
  constexpr double steps = 16.0;
  const auto per_rank = static_cast<std::ptrdiff_t>(slots.size() / ranks);
  std::vector<double> shares;
  for (auto first = slots.begin(); first != slots.end(); first += per_rank) {
    const auto tokens =
        static_cast<double>(std::accumulate(first, first + per_rank, std::int64_t{0}));
    const auto busiest = static_cast<double>(*std::max_element(first, first + per_rank));
    shares.push_back(
        tokens > 0.0 ? std::round(steps * busiest * static_cast<double>(per_rank) / tokens) / steps
                     : 1.0);
  }
  return shares;
}

} // namespace

std::int64_t ExpertLoad::rank_tokens(std::optional<std::int64_t> rank) const {
  return rank ? ranks.at(static_cast<std::size_t>(*rank))
              : *std::max_element(ranks.begin(), ranks.end());
}

double ExpertLoad::rank_busiest_over_mean(std::optional<std::int64_t> rank) const {
  const auto busiest = std::max_element(ranks.begin(), ranks.end()) - ranks.begin();
  return busiest_over_mean.at(static_cast<std::size_t>(rank.value_or(busiest)));
}

ExpertLoad expert_load(const RoutingMatrix& matrix, const Placement& placement) {
  const auto ranks = static_cast<std::size_t>(matrix.sources);
  ExpertLoad load;
  load.wanted = by_expert(matrix, matrix.wanted);
  load.kept = by_expert(matrix, matrix.kept);
  auto [pairs, slots] = sent_tokens(matrix, placement);
  load.busiest_over_mean = busiest_over_mean(slots, ranks);
  load.ranks_alike =
      std::adjacent_find(pairs.begin(), pairs.end(), std::not_equal_to<>()) == pairs.end();
  load.ranks.assign(ranks, 0);
  for (std::size_t source = 0; source < ranks; ++source)
    for (std::size_t rank = 0; rank < ranks; ++rank)
      load.ranks[rank] += pairs[source * ranks + rank];
  const std::int64_t kept = matrix.kept_tokens();
  const std::int64_t carried =
      std::accumulate(load.ranks.begin(), load.ranks.end(), std::int64_t{0});
  load.sent = (carried + matrix.sources / 2) / matrix.sources;
  load.kept_share = static_cast<double>(kept) / static_cast<double>(matrix.wanted_tokens());
  // Loads are multiples of `sent` / ranks, where `sent` is a whole number of tokens: so bytes are
  // exact.
  const LoadMatrix dispatch(ranks, std::move(pairs),
                            static_cast<double>(ranks) / static_cast<double>(load.sent));
  load.dispatch = std::make_shared<const LoadMatrix>(dispatch);
  load.combine = std::make_shared<const LoadMatrix>(dispatch.reversed());
  return load;
}

std::shared_ptr<const ExpertLoad> ExpertLoads::at(std::int64_t layer,
                                                  std::int64_t micro_batch) const {
  if (workload_.routing.even())
    return nullptr;
  if (const auto& drawn = workload_.routing.drawn_layers; drawn && layer >= *drawn)
    return at(layer % *drawn, micro_batch);
  std::shared_ptr<const ExpertLoad>& load = known_[{layer, micro_batch % micro_batches()}];
  if (load)
    return load;
  ExpertLoad made = expert_load(routing_matrix(workload_, layer, micro_batch % micro_batches()),
                                placement(layer));
  if (unevenness_ != Unevenness::full) {
    made.dispatch.reset();
    made.combine.reset();
  }
  if (unevenness_ == Unevenness::none || unevenness_ == Unevenness::none_apart) {
    std::fill(made.ranks.begin(), made.ranks.end(), made.sent);
    std::fill(made.busiest_over_mean.begin(), made.busiest_over_mean.end(), 1.0);
  }
  made.ranks_alike |= unevenness_ == Unevenness::none;
  load = std::make_shared<const ExpertLoad>(std::move(made));
  return load;
}

std::shared_ptr<const ExpertLoad> ExpertLoads::busiest(std::int64_t layer) const {
  std::shared_ptr<const ExpertLoad> found = at(layer, 0);
  for (std::int64_t other = 1; found && other < micro_batches(); ++other)
    if (const auto load = at(layer, other);
        load->rank_tokens(std::nullopt) > found->rank_tokens(std::nullopt))
      found = load;
  return found;
}

bool ExpertLoads::ranks_alike() const {
  if (workload_.routing.even())
    return true;
  for (std::size_t layer = 0; layer < workload_.model.layers.size(); ++layer)
    for (std::int64_t micro_batch = 0;
         workload_.model.layers[layer].moe && micro_batch < micro_batches(); ++micro_batch)
      if (!at(static_cast<std::int64_t>(layer), micro_batch)->ranks_alike)
        return false;
  return true;
}

const Placement& ExpertLoads::placement(std::int64_t layer) const {
  if (const auto& drawn = workload_.routing.drawn_layers; drawn && layer >= *drawn)
    return placement(layer % *drawn);
  const auto known = placements_.find(layer);
  return known != placements_.end()
             ? known->second
             : placements_.emplace(layer, placement_of(workload_, layer)).first->second;
}

std::int64_t ExpertLoads::micro_batches() const {
  return workload_.routing.differs_by_micro_batch()
             ? workload_.plan.micro_batches(workload_.training)
             : 1;
}

} // namespace moesim
