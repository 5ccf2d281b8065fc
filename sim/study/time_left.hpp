#pragma once

#include "sim/base/enumeration.hpp"

#include <array>
#include <cstddef>
#include <optional>

namespace moesim {

/// The kinds of task of a sweep. Tasks of one kind take time in proportion to their weights.
enum class SweepTask { point, twin };

/// The time that the tasks of a sweep will take, from those that have ended in this run.
class TimeLeft {
public:
  /// A task that is to run, and one that need not run after all. Weights of a kind compare with
  /// each other only.
  void add(SweepTask kind, double weight);
  void drop(SweepTask kind, double weight);
  /// A task that was to run has ended after so much time.
  void end(SweepTask kind, double weight, double seconds);
  /// With `jobs` tasks at a time; 0 if none is left. Nothing while less than three tasks of a kind
  /// have ended and others of it are left.
  std::optional<double> seconds(std::size_t jobs) const;

private:
  struct Kind {
    std::size_t left = 0;
    std::size_t ended = 0;
    double weight_left = 0.0;
    double weight_ended = 0.0;
    double seconds = 0.0; ///< of those that have ended
  };
  std::array<Kind, enumerator_count<SweepTask>> kinds_;
};

} // namespace moesim
