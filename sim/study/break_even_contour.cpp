#include "sim/study/break_even_contour.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moesim {

std::vector<double> contour_values(const KnobRange& range) {
  constexpr int values_most = 5;
  std::vector<double> values;
  for (int number = 0; number < values_most; ++number) {
    const double share = static_cast<double>(number) / (values_most - 1);
    const double value = number == 0                 ? range.from
                         : number == values_most - 1 ? range.to
                         : range.from > 0.0 ? range.from * std::pow(range.to / range.from, share)
                                            : range.from + share * (range.to - range.from);
    values.push_back(range.whole ? std::round(value) : value);
  }
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

std::vector<ContourPoint> break_even_contour(const std::filesystem::path& scenario,
                                             const std::vector<std::string>& settings,
                                             const ContourKnob& knob, const ContourKnob& and_knob,
                                             const ColumnCondition& condition,
                                             const std::filesystem::path& calibration) {
  if (knob.key == and_knob.key)
    throw InputError({"--and-knob"}, fmt::format("{} is the first knob too", and_knob.key));
  const KnobRange range = Knob(scenario, settings, knob.key).range(knob.from, knob.to);
  const KnobRange and_range =
      Knob(scenario, settings, and_knob.key).range(and_knob.from, and_knob.to);
  std::vector<ContourPoint> contour;
  for (const double value : contour_values(and_range)) {
    ContourPoint point{value, {}, ""};
    std::vector<std::string> set = settings;
    set.push_back(fmt::format("{}={:.9g}", and_knob.key, value));
    try {
      point.found = break_even_of(Knob(scenario, set, knob.key), range, condition, calibration);
    } catch (const InputError& error) {
      point.skipped = error.what();
    }
    contour.push_back(std::move(point));
  }
  if (std::all_of(contour.begin(), contour.end(),
                  [](const ContourPoint& point) { return !point.skipped.empty(); }))
    throw InputError({"--and-knob"},
                     fmt::format("{} can be told at no value of {}; at {:.9g}: {}", knob.key,
                                 and_knob.key, contour.front().and_value, contour.front().skipped));
  return contour;
}

} // namespace moesim
