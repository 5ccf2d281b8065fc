#pragma once

#include "sim/cost/compute_constants.hpp"
#include "sim/cost/compute_cost.hpp"

#include <string>

namespace moesim {

/// A time on the way to a KernelTime: independent errors add up in quadrature.
struct Estimate {
  double seconds = 0.0;
  CostBasis basis = CostBasis::measured;
  double squared_error = 0.0;
  const std::string* stand_in = nullptr; ///< as KernelTime's

  void depends_on(CostBasis on, double error) {
    basis = farther(basis, on);
    squared_error += error * error;
  }
  /// Adds what runs one after the other, with errors of its own.
  void follow(const Estimate& other) {
    if (other.seconds == 0.0)
      return;
    const double total = seconds + other.seconds;
    squared_error =
        (squared_error * seconds * seconds + other.squared_error * other.seconds * other.seconds) /
        (total * total);
    seconds = total;
    basis = farther(basis, other.basis);
    if (!stand_in)
      stand_in = other.stand_in;
  }
  /// Divides the time by a ratio of which a rule speaks.
  void divide_by(const Uncertain& ratio) {
    seconds /= ratio.value;
    depends_on(CostBasis::rule, ratio.error);
  }
};

} // namespace moesim
