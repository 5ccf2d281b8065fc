#pragma once

#include "sim/base/enumeration.hpp"

#include <array>
#include <cstddef>
#include <optional>

namespace moesim {

/// The kinds of task of a sweep. Tasks of one kind take time in proportion to their weights.
enum class SweepTask { point, twin };

/// An estimate of a sweep's remaining time, from the tasks that have ended in this run.
class TimeLeft {
public:
  /// Adds a task to run, or drops one that need not run. Only weights of the same kind compare.
  void add(SweepTask kind, double weight);
  void drop(SweepTask kind, double weight);
  /// Notes that a task has ended after `seconds`.
  void end(SweepTask kind, double weight, double seconds);
  /// Remaining seconds with `jobs` tasks at a time; 0 if no task is left. Nothing while fewer than
  /// three tasks of a kind have ended and others of this kind are left.
  std::optional<double> seconds(std::size_t jobs) const;

private:
  struct Kind {
    std::size_t left = 0;
    std::size_t ended = 0;
    double weight_left = 0.0;
    double weight_ended = 0.0;
    double seconds = 0.0; ///< time of the ended tasks
  };
  std::array<Kind, enumerator_count<SweepTask>> kinds_;
};

} // namespace moesim
