#include "sim/study/axis_effects.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

namespace moesim {

namespace {

using Row = std::vector<std::string>;

/// The traffic or load that an axis acts on, for axes whose name does not say it.
const std::map<std::string, std::string> acts_on = {
    {"cluster.nic_gbit_per_s", "It acts only on what crosses the NICs."},
    {"cluster.oversubscription", "It acts only on what crosses from leaf to leaf."},
    {"routing.seed", "It acts only on a load that is drawn at random."},
};

/// Points that differ in one axis alone.
struct Group {
  std::vector<const Row*> rows;

  bool tells() const {
    return rows.size() > 1 && std::any_of(rows.begin(), rows.end(),
                                          [](const Row* row) { return row->front() == "ok"; });
  }
  /// Whether all columns but `own`, those of the axis, are equal.
  bool is_unchanged(const std::set<std::size_t>& own) const {
    return std::all_of(rows.begin(), rows.end(), [&](const Row* row) {
      for (std::size_t column = 0; column < row->size(); ++column)
        if (!own.contains(column) && (*row)[column] != (*rows.front())[column])
          return false;
      return true;
    });
  }
};

/// The values of a column, in the order of the table, at which every group is unchanged.
std::vector<std::string> always_unchanged(const std::vector<std::pair<const Row*, bool>>& groups,
                                          std::size_t column) {
  std::vector<std::string> values;
  std::map<std::string, bool> always;
  for (const auto& [row, unchanged] : groups) {
    const auto [known, added] = always.emplace((*row)[column], true);
    if (added)
      values.push_back((*row)[column]);
    known->second = known->second && unchanged;
  }
  std::erase_if(values, [&](const std::string& value) { return !always.at(value); });
  return values;
}

AxisEffect effect_of(const ReportTable& results, const std::vector<std::string>& axes,
                     const std::string& axis, const RowKeys& row_keys) {
  std::set<std::size_t> own{results.find(axis)};
  if (const auto keys = row_keys.find(axis); keys != row_keys.end())
    for (const std::string& key : keys->second)
      own.insert(results.find(key));
  std::map<Row, std::size_t> group_of; // index of the group, by the values of the other axes
  std::vector<Group> groups;
  for (const Row& row : results.rows) {
    Row others;
    for (const std::string& other : axes)
      if (other != axis)
        others.push_back(row[results.find(other)]);
    const auto [group, added] = group_of.emplace(std::move(others), groups.size());
    if (added)
      groups.emplace_back();
    groups[group->second].rows.push_back(&row);
  }
  AxisEffect effect{axis, 0, 0, {}};
  std::vector<std::pair<const Row*, bool>> judged;
  for (const Group& group : groups)
    if (group.tells()) {
      judged.emplace_back(group.rows.front(), group.is_unchanged(own));
      ++effect.groups;
      effect.unchanged += judged.back().second ? 1 : 0;
    }
  for (const std::string& other : axes)
    if (other != axis)
      for (const std::string& value : always_unchanged(judged, results.find(other)))
        effect.always.push_back(other + " " + shown_value(value));
  return effect;
}

} // namespace

std::vector<AxisEffect> axis_effects(const ReportTable& results,
                                     const std::vector<std::string>& axes,
                                     const RowKeys& row_keys) {
  std::vector<AxisEffect> effects;
  for (const std::string& axis : axes)
    effects.push_back(effect_of(results, axes, axis, row_keys));
  return effects;
}

std::vector<std::string> unchanged_notes(const std::vector<AxisEffect>& effects) {
  std::vector<std::string> notes;
  for (const AxisEffect& effect : effects) {
    if (effect.unchanged == 0)
      continue;
    std::string note =
        effect.unchanged == effect.groups
            ? fmt::format("{} changed nothing: every result is the same for all of its values.",
                          effect.axis)
            : fmt::format("{} changed nothing in {} of {} groups of points that differ only in it",
                          effect.axis, effect.unchanged, effect.groups);
    if (effect.unchanged < effect.groups)
      note += effect.always.empty()
                  ? "."
                  : fmt::format(", among them all at {}.", fmt::join(effect.always, ", all at "));
    if (const auto reason = acts_on.find(effect.axis); reason != acts_on.end())
      note += " " + reason->second;
    notes.push_back(std::move(note));
  }
  return notes;
}

} // namespace moesim
