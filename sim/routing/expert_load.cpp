#include "sim/routing/expert_load.hpp"

#include "sim/base/check.hpp"
#include "sim/routing/load_shares.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// What each rank of the group has of its own kind, as loads of pairs: to the experts it is the
/// sink that counts, back the source.
std::shared_ptr<const LoadMatrix> pair_loads(const std::vector<double>& ranks, bool back) {
  const double all = mean(ranks);
  std::vector<double> values;
  values.reserve(ranks.size() * ranks.size());
  for (const double source : ranks)
    for (const double sink : ranks)
      values.push_back((back ? source : sink) / all);
  return std::make_shared<const LoadMatrix>(ranks.size(), std::move(values));
}

} // namespace

double ExpertLoad::rank_load(std::optional<std::int64_t> rank) const {
  return rank ? ranks.at(static_cast<std::size_t>(*rank))
              : *std::max_element(ranks.begin(), ranks.end());
}

std::shared_ptr<const ExpertLoad> expert_load(const Workload& workload, std::int64_t layer) {
  const RoutingSpec& routing = workload.routing;
  if (routing.even())
    return nullptr;
  const std::int64_t experts = workload.model.experts.experts;
  const std::int64_t local = experts / workload.plan.expert;
  INVARIANT(local * workload.plan.expert == experts, "{} experts on {} ranks", experts,
            workload.plan.expert);
  ExpertLoad load;
  load.wanted = load_shares(routing, experts, layer);
  for (double& share : load.wanted)
    share *= static_cast<double>(experts);
  load.kept = load.wanted;
  if (routing.capacity_factor > 0.0)
    for (double& tokens : load.kept)
      tokens = std::min(tokens, routing.capacity_factor);
  load.kept_share = mean(load.kept);
  for (auto first = load.kept.begin(); first != load.kept.end(); first += local)
    load.ranks.push_back(std::accumulate(first, first + local, 0.0) / static_cast<double>(local));
  load.dispatch = pair_loads(load.ranks, false);
  load.combine = pair_loads(load.ranks, true);
  return std::make_shared<const ExpertLoad>(std::move(load));
}

} // namespace moesim
