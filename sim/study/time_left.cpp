#include "sim/study/time_left.hpp"

#include <algorithm>

namespace moesim {

namespace {

constexpr std::size_t ended_min = 3;

} // namespace

void TimeLeft::add(SweepTask kind, double weight) {
  Kind& tasks = kinds_[index(kind)];
  ++tasks.left;
  tasks.weight_left += weight;
}

void TimeLeft::drop(SweepTask kind, double weight) {
  Kind& tasks = kinds_[index(kind)];
  --tasks.left;
  tasks.weight_left -= weight;
}

void TimeLeft::end(SweepTask kind, double weight, double seconds) {
  drop(kind, weight);
  Kind& tasks = kinds_[index(kind)];
  ++tasks.ended;
  tasks.weight_ended += weight;
  tasks.seconds += seconds;
}

std::optional<double> TimeLeft::seconds(std::size_t jobs) const {
  double work = 0.0;
  std::size_t left = 0;
  for (const Kind& tasks : kinds_) {
    if (tasks.left == 0)
      continue;
    if (tasks.ended < ended_min)
      return std::nullopt;
    work += tasks.seconds * tasks.weight_left / tasks.weight_ended;
    left += tasks.left;
  }
  return left == 0 ? 0.0 : work / static_cast<double>(std::min(jobs, left));
}

} // namespace moesim
