#include "sim/routing/routing_matrix.hpp"

#include "sim/routing/load_shares.hpp"
#include "sim/routing/token_counts.hpp"

#include <boost/random/seed_seq.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moesim {

namespace {

std::int64_t sum(const std::vector<std::uint32_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

/// The random generator of a layer and micro-batch.
Random random_of(const RoutingSpec& routing, std::int64_t layer, std::int64_t micro_batch) {
  boost::random::seed_seq seeds{
      static_cast<std::uint32_t>(routing.seed), static_cast<std::uint32_t>(routing.seed >> 32),
      static_cast<std::uint32_t>(routing.step), static_cast<std::uint32_t>(layer),
      static_cast<std::uint32_t>(micro_batch)};
  return Random(seeds);
}

} // namespace

std::int64_t RoutingMatrix::wanted_tokens() const {
  return sum(wanted);
}

std::int64_t RoutingMatrix::kept_tokens() const {
  return sum(kept);
}

std::int64_t expert_capacity(double capacity_factor, std::int64_t routed_tokens,
                             std::int64_t experts) {
  if (capacity_factor <= 0.0)
    return routed_tokens;
  return static_cast<std::int64_t>(std::ceil(capacity_factor * static_cast<double>(routed_tokens) /
                                             static_cast<double>(experts)));
}

RoutingMatrix routing_matrix(const Workload& workload, std::int64_t layer,
                             std::int64_t micro_batch) {
  const RoutingSpec& routing = workload.routing;
  const std::int64_t tokens = tokens_per_rank(workload);
  const std::int64_t routed = tokens * workload.model.experts.experts_per_token;
  RoutingMatrix matrix{workload.plan.expert, workload.model.experts.experts, {}, {}, 0};
  Random random = random_of(routing, layer, micro_batch);
  std::vector<double> shares;
  std::vector<std::uint32_t> row;
  for (std::int64_t source = 0; source < matrix.sources; ++source) {
    const bool differs = source == 0 || routing.differs_by_source();
    if (differs)
      shares = load_shares(workload, {layer, micro_batch, source});
    if (routing.sampled)
      row = drawn_counts(shares, routed, tokens, random);
    else if (differs)
      row = expected_counts(shares, routed);
    matrix.wanted.insert(matrix.wanted.end(), row.begin(), row.end());
  }
  const auto capacity =
      static_cast<std::uint32_t>(expert_capacity(routing.capacity_factor, routed, matrix.experts));
  if (routing.pad_to_capacity)
    matrix.padded_to = capacity;
  matrix.kept = matrix.wanted;
  for (std::uint32_t& count : matrix.kept)
    count = std::min(count, capacity);
  return matrix;
}

} // namespace moesim
