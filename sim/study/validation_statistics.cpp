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
/// Of measurements, as a share.
constexpr double scatter = 0.01;

/// The cases of one group.
struct GroupValues {
  std::size_t cases = 0;
  std::vector<std::string> plans;
  std::vector<std::vector<double>> measured; ///< of each plan
  std::vector<double> predicted;             ///< of each plan

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

/// The place of a key among `keys`, added if it is new.
template <typename Key> std::size_t place_of(std::vector<Key>& keys, const Key& key) {
  const auto known = std::find(keys.begin(), keys.end(), key);
  const auto place = static_cast<std::size_t>(known - keys.begin());
  if (known == keys.end())
    keys.push_back(key);
  return place;
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
    const std::size_t place = place_of(names, set.cases[number].tier);
    tiers.resize(names.size());
    errors.resize(names.size());
    ++tiers[place].cases;
    tiers[place].outside += results[number].status == "ok" ? 0 : 1;
    if (!std::isnan(results[number].error_percent))
      errors[place].push_back(std::abs(results[number].error_percent));
  }
  for (std::size_t place = 0; place < tiers.size(); ++place) {
    tiers[place].tier = names[place];
    tiers[place].tolerance = tolerance_of(set, names[place]);
    if (errors[place].empty())
      continue;
    tiers[place].median_percent = median(errors[place]);
    tiers[place].percentile_90_percent = percentile(errors[place], 0.9);
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
    const std::size_t place = place_of(names, {found.tier, found.group});
    values.resize(names.size());
    GroupValues& group = values[place];
    ++group.cases;
    const std::size_t plan = place_of(group.plans, found.plan);
    group.measured.resize(group.plans.size());
    group.predicted.resize(group.plans.size());
    group.measured[plan].push_back(found.measured);
    group.predicted[plan] = results[number].predicted;
  }
  std::vector<GroupStatistics> groups;
  for (std::size_t place = 0; place < names.size(); ++place)
    if (values[place].cases >= smallest_group)
      groups.push_back({names[place].first, names[place].second, values[place].cases,
                        values[place].plans.size(), kendall_tau(values[place].pairs(), scatter),
                        tolerance_of(set, names[place].first).kendall_tau_min});
  return groups;
}

} // namespace moesim
