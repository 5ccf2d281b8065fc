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
/// Relative scatter of measurements.
constexpr double scatter = 0.01;

/// The cases of one group.
struct GroupValues {
  std::size_t cases = 0;
  std::vector<std::string> plans;
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
  std::vector<std::pair<std::string, std::string>> names;
  std::vector<GroupValues> values;
  for (std::size_t number = 0; number < set.cases.size(); ++number) {
    const ValidationCase& found = set.cases[number];
    if (found.group.empty() || std::isnan(results[number].predicted))
      continue;
    const std::size_t i = index_of(names, {found.tier, found.group});
    values.resize(names.size());
    GroupValues& group = values[i];
    ++group.cases;
    const std::size_t plan = index_of(group.plans, found.plan);
    group.measured.resize(group.plans.size());
    group.predicted.resize(group.plans.size());
    group.measured[plan].push_back(found.measured);
    group.predicted[plan] = results[number].predicted;
  }
  std::vector<GroupStatistics> groups;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (values[i].cases >= smallest_group)
      groups.push_back({names[i].first, names[i].second, values[i].cases, values[i].plans.size(),
                        kendall_tau(values[i].pairs(), scatter),
                        tolerance_of(set, names[i].first).kendall_tau_min});
  return groups;
}

} // namespace moesim
