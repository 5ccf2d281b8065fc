#pragma once

#include "sim/study/column_condition.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The values of a knob between which a condition may flip.
struct KnobRange {
  std::string key;
  double from = 0.0;
  double to = 0.0;
  bool whole = false;             ///< only whole numbers are values
  std::optional<double> own = {}; ///< the scenario's value
};

/// A step at a value of the knob.
struct KnobPoint {
  double value = 0.0;
  StepResult result; ///< its status is not "ok" if the step cannot run
};

/// Where a condition flips over a knob.
struct BreakEven {
  /// The replayed value nearest to the crossing at which the condition holds, and the one on its
  /// other side. Nothing if the condition holds at every value, or at none.
  std::optional<double> value;
  std::optional<double> fails;
  /// The crossing if steps took the times at the ends of their 90 % intervals: the smaller and the
  /// larger value. Nothing where it lies beyond the range, or the column does not follow from the
  /// step time.
  std::optional<double> low;
  std::optional<double> high;
  std::size_t flips = 0; ///< between points that were replayed; all but the nearest are left alone
  std::vector<KnobPoint> curve;   ///< every step that was replayed, by rising value
  std::vector<KnobPoint> skipped; ///< values whose step cannot run, likewise
};

/// The step at a value of the knob.
using KnobReplay = std::function<StepResult(double)>;

/// Finds where a condition flips: replays five values evenly spaced by their ratio (by their
/// difference, in a range from 0), then halves the bracket of the flip that is nearest to the
/// scenario's own value until its ends are within 1 % or no whole number is left between them. A
/// column of numbers cuts the bracket where a line between its ends meets the condition, for a few
/// replays. The crossings at the ends of the intervals lie on such a line between replayed points,
/// after one replay more each. A whole number that cannot run gives way to the nearest that can.
/// Throws InputError if fewer than two values can run, and if the knob changes no column at all.
BreakEven find_break_even(const KnobRange& range, const ColumnCondition& condition,
                          const KnobReplay& replay);

} // namespace moesim
