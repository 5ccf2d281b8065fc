#pragma once

#include "sim/study/knob.hpp"

#include <string>
#include <vector>

namespace moesim {

/// A key of a scenario and its range, of a break-even over two knobs.
struct ContourKnob {
  std::string key;
  std::optional<double> from = {}; ///< as Knob::range
  std::optional<double> to = {};
};

/// The break-even over a knob at one value of another.
struct ContourPoint {
  double and_value = 0.0;
  BreakEven found;
  std::string skipped; ///< the reason why nothing was found: no value of the knob can run
};

/// Five values of a range, evenly spaced by their ratio (by their difference, in a range from 0);
/// fewer where whole numbers coincide.
std::vector<double> contour_values(const KnobRange& range);

/// The break-even over `knob` at each of contour_values of `and_knob`: the contour of the
/// condition. Throws the errors of Knob, and InputError if the condition can be told at no value.
std::vector<ContourPoint> break_even_contour(const std::filesystem::path& scenario,
                                             const std::vector<std::string>& settings,
                                             const ContourKnob& knob, const ContourKnob& and_knob,
                                             const ColumnCondition& condition,
                                             const std::filesystem::path& calibration);

} // namespace moesim
