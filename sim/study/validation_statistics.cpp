#include "sim/study/validation_statistics.hpp"

#include "sim/base/median.hpp"
#include "sim/study/rank_correlation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace moesim {

namespace {

constexpr std::size_t smallest_group = 5;
constexpr std::size_t smallest_comparison = 3;
/// Relative scatter of measurements.
constexpr double scatter = 0.01;

/// The cases of one group.
struct GroupValues {
  std::size_t cases = 0;
  std::vector<std::string> plans;
  std::vector<std::string> names;            ///< by plan, of its first case
  std::vector<std::vector<double>> measured; ///< by plan
  std::vector<double> predicted;             ///< by plan

  std::vector<ValuePair> pairs() const {
    std::vector<ValuePair> means;
    for (std::size_t plan = 0; plan < plans.size(); ++plan)
      means.push_back({std::accumulate(measured[plan].begin(), measured[plan].end(), 0.0) /
                           static_cast<double>(measured[plan].size()),
                       predicted[plan]});
    return means;
  }
};

TierTolerance tolerance_of(const ValidationSet& set, const std::string& tier) {
  for (const TierTolerance& tolerance : set.tiers)
    if (tolerance.tier == tier)
      return tolerance;
  return {};
}

/// The index of a key in `keys`; adds it if it is new.
template <typename Key> std::size_t index_of(std::vector<Key>& keys, const Key& key) {
  const auto known = std::find(keys.begin(), keys.end(), key);
  const auto number = static_cast<std::size_t>(known - keys.begin());
  if (known == keys.end())
    keys.push_back(key);
  return number;
}

/// The tier and the name of a group; without a name a case is in no group.
using GroupKey = std::pair<std::string, std::string>;

/// The values of each group that has predictions, in the order in which the cases name the groups.
template <typename KeyOf>
std::vector<std::pair<GroupKey, GroupValues>> values_by(KeyOf key_of, const ValidationSet& set,
                                                        const std::vector<CaseResult>& results) {
  std::vector<GroupKey> keys;
  std::vector<std::pair<GroupKey, GroupValues>> groups;
  for (std::size_t number = 0; number < set.cases.size(); ++number) {
    const ValidationCase& found = set.cases[number];
    const GroupKey key = key_of(found);
    if (key.second.empty() || std::isnan(results[number].predicted))
      continue;
    const std::size_t i = index_of(keys, key);
    groups.resize(keys.size());
    groups[i].first = key;
    GroupValues& group = groups[i].second;
    ++group.cases;
    const std::size_t plan = index_of(group.plans, found.plan);
    if (plan == group.names.size())
      group.names.push_back(found.name);
    group.measured.resize(group.plans.size());
    group.predicted.resize(group.plans.size());
    group.measured[plan].push_back(found.measured);
    group.predicted[plan] = results[number].predicted;
  }
  return groups;
}

/// One more than the number of plans that have a larger value, in one member of the pairs.
std::size_t rank_of(std::size_t plan, const std::vector<ValuePair>& pairs,
                    double ValuePair::*member) {
  return 1 + static_cast<std::size_t>(
                 std::count_if(pairs.begin(), pairs.end(), [&](const ValuePair& other) {
                   return other.*member > pairs[plan].*member;
                 }));
}

} // namespace

bool TierStatistics::passes() const {
  const auto within = [](double percent, const std::optional<double>& limit) {
    return !limit || percent <= *limit;
  };
  return outside == 0 && within(median_percent, tolerance.median_tolerance_percent) &&
         within(percentile_90_percent, tolerance.p90_tolerance_percent);
}

std::vector<TierStatistics> tier_statistics(const ValidationSet& set,
                                            const std::vector<CaseResult>& results) {
  std::vector<std::string> names;
  std::vector<TierStatistics> tiers;
  std::vector<std::vector<double>> errors;
  for (std::size_t number = 0; number < set.cases.size(); ++number) {
    const std::size_t i = index_of(names, set.cases[number].tier);
    tiers.resize(names.size());
    errors.resize(names.size());
    ++tiers[i].cases;
    tiers[i].outside += results[number].status == "ok" ? 0 : 1;
    if (!std::isnan(results[number].error_percent))
      errors[i].push_back(std::abs(results[number].error_percent));
  }
  for (std::size_t i = 0; i < tiers.size(); ++i) {
    tiers[i].tier = names[i];
    tiers[i].tolerance = tolerance_of(set, names[i]);
    if (errors[i].empty())
      continue;
    tiers[i].median_percent = median(errors[i]);
    tiers[i].percentile_90_percent = percentile(errors[i], 0.9);
  }
  return tiers;
}

bool GroupStatistics::is_judged() const {
  return plans >= smallest_group;
}

bool GroupStatistics::passes() const {
  return !is_judged() || !kendall_tau_min || !kendall_tau || *kendall_tau >= *kendall_tau_min;
}

std::vector<GroupStatistics> group_statistics(const ValidationSet& set,
                                              const std::vector<CaseResult>& results) {
  std::vector<GroupStatistics> groups;
  const auto in_tier = [](const ValidationCase& found) {
    return GroupKey{found.tier, found.group};
  };
  for (const auto& [key, values] : values_by(in_tier, set, results))
    if (values.cases >= smallest_group)
      groups.push_back({key.first, key.second, values.cases, values.plans.size(),
                        kendall_tau(values.pairs(), scatter),
                        tolerance_of(set, key.first).kendall_tau_min});
  return groups;
}

std::vector<PlanOrder> plan_orders(const ValidationSet& set,
                                   const std::vector<CaseResult>& results) {
  std::vector<PlanOrder> orders;
  const auto compared = [](const ValidationCase& found) { return GroupKey{"", found.comparison}; };
  for (const auto& [key, values] : values_by(compared, set, results)) {
    const std::vector<ValuePair> pairs = values.pairs();
    if (pairs.size() < smallest_comparison)
      continue;
    PlanOrder order{key.second, {}, kendall_tau(pairs, scatter)};
    for (std::size_t plan = 0; plan < pairs.size(); ++plan)
      order.plans.push_back({values.names[plan], pairs[plan].measured, pairs[plan].predicted,
                             rank_of(plan, pairs, &ValuePair::measured),
                             rank_of(plan, pairs, &ValuePair::predicted)});
    orders.push_back(std::move(order));
  }
  return orders;
}

std::size_t PlanOrder::predicted_rank_of_best() const {
  return std::min_element(plans.begin(), plans.end(),
                          [](const RankedPlan& a, const RankedPlan& b) {
                            return std::pair(a.measured_rank, a.predicted_rank) <
                                   std::pair(b.measured_rank, b.predicted_rank);
                          })
      ->predicted_rank;
}

} // namespace moesim
