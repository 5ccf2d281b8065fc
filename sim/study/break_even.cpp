#include "sim/study/break_even.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

namespace moesim {

namespace {

constexpr std::size_t grid_points = 5;
/// Largest ratio, less 1, of the ends of the last bracket.
constexpr double knob_tolerance = 0.01;
/// Replays that cut a bracket along a line; those after them halve it.
constexpr std::size_t line_cuts = 4;
constexpr std::size_t cuts_most = 20;
/// Replays for each crossing at an end of the interval.
constexpr std::size_t end_cuts = 1;
/// Whole numbers that are tried on each side of one that cannot run.
constexpr int neighbours_most = 4096;

/// A condition as one reads it from a result: under its step time, or an end of its interval.
struct Reading {
  std::function<bool(const StepResult&)> holds;
  /// Distance of the column from the condition's right side; of a text ±1.
  std::function<double(const StepResult&)> distance;
};

/// Two replayed values; the condition holds at one of them.
struct Bracket {
  double lower = 0.0;
  double upper = 0.0;
};

/// A number with few digits, for people.
double short_number(double value) {
  const std::string text = fmt::format("{:.5g}", value);
  double number = value;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Positions of values on the axis of a knob: by ratio, or by difference in a range from 0.
struct KnobScale {
  bool by_ratio;

  double at(double value) const { return by_ratio ? std::log(value) : value; }
  double value(double position) const { return by_ratio ? std::exp(position) : position; }
  double width(const Bracket& bracket) const { return at(bracket.upper) - at(bracket.lower); }
  /// The width of a bracket that is narrow enough.
  double tolerance(const Bracket& bracket) const {
    return by_ratio ? std::log1p(knob_tolerance)
                    : knob_tolerance * std::max(std::abs(bracket.lower), std::abs(bracket.upper));
  }
};

class BreakEvenSearch {
public:
  BreakEvenSearch(const KnobRange& range, const KnobReplay& replay)
      : range_(range), replay_(replay), scale_{range.from > 0.0} {
    for (std::size_t number = 0; number < grid_points; ++number)
      add_grid_point(static_cast<double>(number) / (grid_points - 1));
  }

  const std::map<double, StepResult>& points() const { return points_; }
  const std::map<double, StepResult>& skipped() const { return skipped_; }

  /// The neighbours among replayed values between which a reading flips, by rising value.
  std::vector<Bracket> flips(const Reading& reading) const {
    std::vector<Bracket> found;
    for (auto point = points_.begin(); point != points_.end(); ++point) {
      const auto next = std::next(point);
      if (next != points_.end() && reading.holds(point->second) != reading.holds(next->second))
        found.push_back({point->first, next->first});
    }
    return found;
  }

  /// The flip nearest to a value; the first one for no value.
  Bracket nearest(const std::vector<Bracket>& brackets, std::optional<double> value) const {
    const auto distance = [&](const Bracket& bracket) {
      return value ? std::max({scale_.at(bracket.lower) - scale_.at(*value),
                               scale_.at(*value) - scale_.at(bracket.upper), 0.0})
                   : 0.0;
    };
    return *std::min_element(
        brackets.begin(), brackets.end(),
        [&](const Bracket& a, const Bracket& b) { return distance(a) < distance(b); });
  }

  /// Narrows a bracket by at most `cuts` replays.
  Bracket narrowed(Bracket bracket, const Reading& reading, std::size_t cuts) {
    for (std::size_t cut = 0; cut < cuts && scale_.width(bracket) > scale_.tolerance(bracket);
         ++cut) {
      const double middle = 0.5 * (scale_.at(bracket.lower) + scale_.at(bracket.upper));
      const std::optional<double> value =
          between(bracket, cut < line_cuts ? beyond_line(bracket, reading) : middle);
      if (!value)
        break;
      const bool as_lower =
          reading.holds(points_.at(*value)) == reading.holds(points_.at(bracket.lower));
      (as_lower ? bracket.lower : bracket.upper) = *value;
    }
    return bracket;
  }

  /// The value at which a line between the ends of a bracket meets the condition; of whole numbers
  /// the end at which it holds.
  double crossing(const Bracket& bracket, const Reading& reading) const {
    return range_.whole ? holding(bracket, reading)
                        : short_number(scale_.value(line_crossing(bracket, reading)));
  }

  /// The end of a bracket at which a reading holds.
  double holding(const Bracket& bracket, const Reading& reading) const {
    return reading.holds(points_.at(bracket.lower)) ? bracket.lower : bracket.upper;
  }

private:
  /// Whether the step at a value runs; replays it if nothing has.
  bool runs(double value) {
    if (points_.contains(value))
      return true;
    if (skipped_.contains(value))
      return false;
    StepResult result = replay_(value);
    const bool ok = result.status == "ok";
    (ok ? points_ : skipped_).emplace(value, std::move(result));
    return ok;
  }

  /// The whole number nearest to `value`, within both bounds, that can run.
  std::optional<double> nearest_whole(double value, double least, double most) {
    if (least > most)
      return std::nullopt;
    const double center = std::clamp(std::round(value), least, most);
    for (int step = 0; step <= neighbours_most; ++step)
      for (const double sign : {1.0, -1.0}) {
        const double candidate = center + sign * step;
        if (candidate < least || candidate > most)
          continue;
        if (runs(candidate))
          return candidate;
        if (skipped_.at(candidate).status == "out-of-memory")
          return std::nullopt; // its neighbours do not fit either
      }
    return std::nullopt;
  }

  void add_grid_point(double share) {
    const double ends[] = {scale_.at(range_.from), scale_.at(range_.to)};
    const double value = scale_.value(ends[0] + share * (ends[1] - ends[0]));
    if (range_.whole)
      nearest_whole(value, std::ceil(range_.from), std::floor(range_.to));
    else if (share == 0.0 || share == 1.0)
      runs(share == 0.0 ? range_.from : range_.to);
    else
      runs(short_number(value));
  }

  /// A value strictly inside a bracket that can run, near a position of the scale.
  std::optional<double> between(const Bracket& bracket, double position) {
    const double lower = scale_.at(bracket.lower);
    const double span = scale_.width(bracket);
    for (const double at : {position, lower + 0.5 * span, lower + 0.25 * span, lower + 0.75 * span})
      if (range_.whole) {
        if (const auto value =
                nearest_whole(scale_.value(at), bracket.lower + 1, bracket.upper - 1))
          return value;
      } else if (const double value = short_number(scale_.value(at));
                 value > bracket.lower && value < bracket.upper && runs(value)) {
        return value;
      }
    return std::nullopt;
  }

  /// The position where a line between the ends of a bracket meets the condition.
  double line_crossing(const Bracket& bracket, const Reading& reading) const {
    const double at_lower = reading.distance(points_.at(bracket.lower));
    const double at_upper = reading.distance(points_.at(bracket.upper));
    const double share = at_lower == at_upper ? 0.5 : at_lower / (at_lower - at_upper);
    return scale_.at(bracket.lower) + std::clamp(share, 0.0, 1.0) * scale_.width(bracket);
  }

  /// A position a little beyond that, seen from the nearer end: that end moves no more once the
  /// line is good, and the next cut is near it.
  double beyond_line(const Bracket& bracket, const Reading& reading) const {
    const double lower = scale_.at(bracket.lower);
    const double span = scale_.width(bracket);
    const double crossing = line_crossing(bracket, reading);
    const double beyond = 0.4 * scale_.tolerance(bracket);
    const double position = crossing + (crossing - lower < 0.5 * span ? beyond : -beyond);
    return std::clamp(position, lower + 0.05 * span, lower + 0.95 * span);
  }

  const KnobRange& range_;
  const KnobReplay& replay_;
  KnobScale scale_;
  std::map<double, StepResult> points_;  ///< steps that ran, by value
  std::map<double, StepResult> skipped_; ///< steps that cannot run, by value
};

Reading own_reading(const ColumnCondition& condition) {
  const bool line = condition.of_numbers() && condition.comparison != Comparison::equal &&
                    condition.comparison != Comparison::unequal;
  return {[condition](const StepResult& result) { return condition.holds(result); },
          [condition, line](const StepResult& result) {
            if (!line)
              return condition.holds(result) ? 1.0 : -1.0;
            const auto member = std::get<double StepResult::*>(condition.column.member);
            return result.*member - condition.number;
          }};
}

/// The condition at an end of the interval of the step time.
Reading reading_at(const ColumnCondition& condition, double StepResult::*time) {
  const auto value = [condition, time](const StepResult& result) {
    return column_at_step_time(result, condition.column, result.*time).value_or(no_value);
  };
  return {
      [condition, value](const StepResult& result) { return condition.holds(value(result)); },
      [condition, value](const StepResult& result) { return value(result) - condition.number; }};
}

/// Throws InputError if no column differs between the points of a curve, or if there is only one.
void check_effect(const KnobRange& range, const BreakEvenSearch& search) {
  const std::string where = "--knob " + range.key;
  const std::string between = fmt::format("between {:.9g} and {:.9g}", range.from, range.to);
  if (search.points().size() < 2) {
    const auto& skipped = search.skipped();
    const auto first = skipped.begin();
    throw InputError({where}, fmt::format("fewer than two values {} can run", between),
                     skipped.empty() ? "give other --from and --to"
                                     : fmt::format("{:.9g}: {}: {}", first->first,
                                                   first->second.status, first->second.reason));
  }
  const StepResult& first = search.points().begin()->second;
  for (const auto& [value, result] : search.points())
    for (const ResultColumn& column : result_columns())
      if (cell_text(result, column) != cell_text(first, column))
        return;
  throw InputError({where},
                   fmt::format("{} changes nothing: every column of the result is the same {}",
                               range.key, between));
}

void add_ends(const ColumnCondition& condition, BreakEvenSearch& search, BreakEven& found) {
  const StepResult& any = search.points().begin()->second;
  if (!column_at_step_time(any, condition.column, any.step_time_ms))
    return;
  for (const auto time : {&StepResult::step_time_low_ms, &StepResult::step_time_high_ms}) {
    const Reading reading = reading_at(condition, time);
    const std::vector<Bracket> flips = search.flips(reading);
    if (flips.empty())
      continue;
    const Bracket bracket = search.narrowed(search.nearest(flips, *found.value), reading, end_cuts);
    const double crossing = search.crossing(bracket, reading);
    if (crossing <= *found.value)
      found.low = std::min(crossing, found.low.value_or(crossing));
    else
      found.high = std::max(crossing, found.high.value_or(crossing));
  }
}

std::vector<KnobPoint> as_list(const std::map<double, StepResult>& results) {
  std::vector<KnobPoint> list;
  for (const auto& [value, result] : results)
    list.push_back({value, result});
  return list;
}

} // namespace

BreakEven find_break_even(const KnobRange& range, const ColumnCondition& condition,
                          const KnobReplay& replay) {
  BreakEvenSearch search(range, replay);
  check_effect(range, search);
  const Reading reading = own_reading(condition);
  const std::vector<Bracket> flips = search.flips(reading);
  BreakEven found;
  found.flips = flips.size();
  if (!flips.empty()) {
    const Bracket bracket = search.narrowed(search.nearest(flips, range.own), reading, cuts_most);
    found.value = search.holding(bracket, reading);
    found.fails = *found.value == bracket.lower ? bracket.upper : bracket.lower;
    add_ends(condition, search, found);
  }
  found.curve = as_list(search.points());
  found.skipped = as_list(search.skipped());
  return found;
}

} // namespace moesim
