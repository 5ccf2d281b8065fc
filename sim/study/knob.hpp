#pragma once

#include "sim/scenario/scenario.hpp"
#include "sim/study/break_even.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// A numeric key of a scenario, and the scenario with other values of it.
class Knob {
public:
  /// `settings`: those of `--set`. Throws the errors of read_scenario.
  Knob(std::filesystem::path scenario, std::vector<std::string> settings, std::string key);

  /// Values from `from` to `to`; else from a quarter of the scenario's own value to four times of
  /// it. The own value may stand in the scenario, in its topology file or in its model's config, or
  /// follow from its plan. Throws InputError for a key that no scenario understands, a value that
  /// is no number, an empty range, and where nothing gives the range.
  KnobRange range(std::optional<double> from, std::optional<double> to) const;

  /// The scenario with this value.
  ScenarioInput with(double value) const;

private:
  std::optional<double> own_value() const;
  bool only_whole(double value) const;

  std::filesystem::path scenario_;
  std::vector<TomlSetting> settings_;
  std::string key_;
};

/// The break-even of a condition over a knob by whole replays, of a scenario with a search under
/// the best plan of each value. A value that the scenario refuses is one that cannot run. Throws
/// the errors of find_break_even.
BreakEven break_even_of(const Knob& knob, const KnobRange& range, const ColumnCondition& condition,
                        const std::filesystem::path& calibration);

} // namespace moesim
