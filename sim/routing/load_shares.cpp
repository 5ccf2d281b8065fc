#include "sim/routing/load_shares.hpp"

#include "sim/base/check.hpp"
#include "sim/routing/token_counts.hpp"
#include "sim/routing/trained_loads.hpp"

#include <boost/random/gamma_distribution.hpp>
#include <boost/random/seed_seq.hpp>

#include <cmath>
#include <numeric>
#include <utility>

namespace moesim {

namespace {

using Shares = std::vector<double>;

Random random_of(const RoutingSpec& routing, std::int64_t layer) {
  boost::random::seed_seq seeds{static_cast<std::uint32_t>(routing.seed),
                                static_cast<std::uint32_t>(routing.seed >> 32),
                                static_cast<std::uint32_t>(layer)};
  return Random(seeds);
}

Shares zipf(double alpha, std::size_t experts, Random& random) {
  Shares shares;
  for (std::size_t rank = 0; rank < experts; ++rank)
    shares.push_back(std::pow(static_cast<double>(rank + 1), -alpha));
  shuffle(shares, random);
  return shares;
}

Shares dirichlet(double concentration, std::size_t experts, Random& random) {
  boost::random::gamma_distribution<double> gamma(concentration);
  Shares shares;
  for (std::size_t expert = 0; expert < experts; ++expert)
    shares.push_back(gamma(random));
  return shares;
}

/// The shares of one law, not yet adding up to 1.
Shares of_law(const RoutingSpec& routing, std::size_t experts, Random& random) {
  return routing.load == LoadKind::zipf
             ? zipf(routing.zipf_alpha, experts, random)
             : dirichlet(routing.dirichlet_concentration, experts, random);
}

void normalise(Shares& shares) {
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  INVARIANT(sum > 0.0, "{} shares add up to {}", shares.size(), sum);
  for (double& share : shares)
    share /= sum;
}

/// The law for groups of experts, and for the experts of each group.
Shares of_gates(const RoutingSpec& routing, std::size_t experts, Random& random) {
  if (routing.gate_groups == 1)
    return of_law(routing, experts, random);
  const auto groups = static_cast<std::size_t>(routing.gate_groups);
  Shares shares;
  for (const double group : of_law(routing, groups, random)) {
    Shares within = of_law(routing, experts / groups, random);
    normalise(within);
    for (const double share : within)
      shares.push_back(group * share);
  }
  return shares;
}

/// `count` experts from `first` get `load` times the mean; the others share the remaining tokens.
Shares hot(double load, std::size_t first, std::size_t count, std::size_t experts) {
  const auto others = static_cast<double>(experts - count);
  const double left =
      std::max(0.0, static_cast<double>(experts) - static_cast<double>(count) * load);
  Shares shares(experts, others > 0.0 ? left / others : 0.0);
  for (std::size_t expert = first; expert < first + count; ++expert)
    shares[expert] = load;
  return shares;
}

const Shares& recorded(const RoutingSpec& routing, const Workload& workload,
                       const TokenOrigin& origin) {
  const std::vector<Shares>& rows = routing.trace->layers.at(origin.layer);
  std::int64_t row = 0;
  if (routing.rows_differ_by_micro_batch()) {
    row = routing.step * workload.plan.micro_batches(workload.training) + origin.micro_batch;
    if (routing.differs_by_source())
      row = row * workload.plan.expert + origin.source;
  }
  return rows[static_cast<std::size_t>(row) % rows.size()];
}

} // namespace

std::vector<double> load_shares(const Workload& workload, const TokenOrigin& origin) {
  const RoutingSpec& routing = workload.routing;
  const auto experts = static_cast<std::size_t>(workload.model.experts.experts);
  Random random = random_of(routing, origin.layer);
  Shares shares;
  switch (routing.load) {
  case LoadKind::uniform:
    shares.assign(experts, 1.0);
    break;
  case LoadKind::zipf:
  case LoadKind::dirichlet:
    shares = of_gates(routing, experts, random);
    break;
  case LoadKind::hot_expert:
    shares = hot(routing.hot_load, draw_index(experts, random), 1, experts);
    break;
  case LoadKind::hot_rank:
    shares =
        hot(routing.hot_load, 0, experts / static_cast<std::size_t>(workload.plan.expert), experts);
    break;
  case LoadKind::trace:
    shares = recorded(routing, workload, origin);
    break;
  case LoadKind::trained:
    shares = trained_loads_of(workload).layers.at(origin.layer).front();
    break;
  }
  normalise(shares);
  return limit_shares(std::move(shares),
                      1.0 / static_cast<double>(workload.model.experts.experts_per_token));
}

} // namespace moesim
